//! Keys that lie and networks that meddle: the person reads what was noticed, and nothing is written anywhere.
//!
//! A key at fault signs its lie with the secret that was enrolled, so that only the check in question can notice it. A
//! network is somebody with a certificate that the person's machine trusts: TLS does not help here.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use vouch_scenarios::{
    World,
    clock::Clock,
    developer::{Developer, unlock_unless_it_ends},
    manifest::ISSUER_URL,
    meddler::{
        Answer, CHALLENGE, ENROLL, ENROLL_CHALLENGE, Meddler, Meddling, Request, TOKEN, change_answer, change_request,
        give_again,
    },
    terminal::{Finished, Terminal},
    virtual_key::{KeyOptions, VirtualKey},
    world::Prepared,
};

/// Exit code: the issuer said no.
const DENIED: i32 = 5;
const ROLE: &str = "arn:aws:iam::999999999999:role/VouchDeveloper";

/// One lie.
struct Case {
    what: &'static str,
    /// Of the key.
    options: KeyOptions,
    /// Of the network.
    network: Option<Meddling>,
    /// The last line that the person reads.
    words: &'static str,
    /// Whether the key was asked at all.
    touched: bool,
}

fn key(what: &'static str, fault: &str, words: &'static str) -> Case {
    let further = vec!["--fault".to_owned(), fault.to_owned()];
    Case { what, options: KeyOptions { further, ..KeyOptions::default() }, network: None, words, touched: true }
}

fn network(what: &'static str, network: Meddling, words: &'static str) -> Case {
    Case { what, options: KeyOptions::default(), network: Some(network), words, touched: true }
}

const OTHER_SITE: &str = "vouch: the issuer vouch.example.com asked for a signature for another site, evil.example.com; \
    nothing was signed. Do not try again. Show this to your administrator: the issuer is set up wrongly, or somebody is \
    in between.";
const NOT_VERIFIED: &str = "vouch: The security key did not verify its user; its PIN or fingerprint is required. Set a \
    PIN on the key and try again.";
const OTHER_RELYING_PARTY: &str = "vouch: The answer was made for another relying party than this issuer. Check that the \
    issuer URL this machine is configured with is exactly the issuer's.";
const OTHER_ORIGIN: &str = "vouch: The answer was made for another website than this issuer. Check that the issuer URL \
    this machine is configured with is exactly the issuer's.";
const OTHER_PERSON: &str = "vouch: The security key names another person than the one it is enrolled for. Use the key \
    that is enrolled for this account.";
const OTHER_CHALLENGE: &str = "vouch: The security key answered another challenge. Run the command again; if it happens \
    again, tell your administrator: something between this machine and the issuer may be changing what is sent.";
const WRONG_SIGNATURE: &str = "vouch: The signature of the security key is wrong. Run the command again; if it happens \
    again, tell your administrator: something between this machine and the issuer may be changing what is sent.";
const COPIED: &str = "vouch: The signature counter of the security key did not rise; the assertion is old, or the key was \
    copied. Try again. If it happens again, have this key removed and report it.";
const REPLAYED: &str = "vouch: The challenge has been answered before. Run the command again; if it happens again, tell \
    your administrator: somebody may be repeating what this machine sent.";
const FOREIGN_CHALLENGE: &str = "vouch: The challenge was not made by this issuer for this request. Run the command again, \
    and answer within five minutes.";
const TOO_LATE: &str = "vouch: The challenge expired at TIME. Run the command again, and answer within five minutes.";
const UNPROTECTED: &str = "vouch: The credential is not protected by user verification (credProtect) (model \
    2fc0579f-8113-47ea-b116-bb5a8db9202a, attested by CN=Virtual Key Root). Update the client, or use a security key that \
    supports credProtect.";
const UNATTESTED: &str = "vouch: The security key does not prove who made it (no model proven, no attestation \
    certificate). Use a security key that your organisation accepts.";
const DELETED: &str = "The credential that was just made has been deleted from the key.";

fn lies_at_sign_in(bob: &str, redeemed: &Request, challenge: &Answer) -> Vec<Case> {
    let (state, assertion) = (redeemed.field("state"), redeemed.field("assertion"));
    vec![
        key("no PIN was asked for", "drop-uv", NOT_VERIFIED),
        key("asked for another relying party", "rp-id=evil.example.com", OTHER_RELYING_PARTY),
        key("a counter that went back", "counter=1", COPIED),
        key("a counter that never counted", "counter=0", COPIED),
        key("the handle of somebody else", &format!("user-handle={bob}"), OTHER_PERSON),
        key("no handle at all", "user-handle=", OTHER_PERSON),
        Case {
            touched: false,
            ..network(
                "a challenge for another relying party",
                change_answer(CHALLENGE, |answer| answer["options"]["publicKey"]["rpId"] = "evil.example.com".into()),
                OTHER_SITE,
            )
        },
        network(
            "another origin",
            change_request(TOKEN, |request| {
                request.change_field("assertion", |assertion| change_client_data(assertion, other_origin));
            }),
            OTHER_ORIGIN,
        ),
        network(
            "other bytes than were signed",
            change_request(TOKEN, |request| {
                request.change_field("assertion", |assertion| change_client_data(assertion, |text| format!("{text} ")));
            }),
            WRONG_SIGNATURE,
        ),
        network(
            "an assertion over one challenge for another",
            Box::new(|mut request, issuer| {
                if request.path == TOKEN {
                    let other = issuer.send(&Request { path: CHALLENGE.to_owned(), ..request.clone() }).json();
                    request.set_field("state", other["state"].as_str().unwrap());
                }
                issuer.send(&request)
            }),
            OTHER_CHALLENGE,
        ),
        network(
            "a challenge of nobody's",
            change_request(TOKEN, |request| request.set_field("state", "bm90aGluZw")),
            FOREIGN_CHALLENGE,
        ),
        network(
            "an assertion that was redeemed before",
            change_request(TOKEN, move |request| {
                request.set_field("state", &state);
                request.set_field("assertion", &assertion);
            }),
            REPLAYED,
        ),
        network("a challenge that was answered before", give_again(CHALLENGE, challenge.clone()), REPLAYED),
    ]
}

#[test]
fn no_lie_at_sign_in_begins_a_session() {
    let world = World::start();
    let meddler = Meddler::before_the_issuer_of(&world);
    let (_, _key_of_bob) = world.signed_in("bob");
    let bob = world.issuer.admin(&["users", "show", "bob@example.com", "--output", "json"]).succeeded().json();
    let bob = bob["id"].as_str().unwrap().replace('-', "");
    let (_earlier, mut key) = world.signed_in("alice");
    let (redeemed, _) = meddler.last(TOKEN);
    let (_, challenge) = meddler.last(CHALLENGE);

    let mut alice = world.developer("alice-at-her-desk");
    alice.insert(&key);
    for case in lies_at_sign_in(&bob, &redeemed, &challenge) {
        let _ = attempt(&world, &alice, &mut key, &meddler, case, || alice.vouch_at_terminal(&["login", ISSUER_URL]));
    }

    behave(&mut key);
    alice.login_for_the_first_time();
}

fn lies_at_enrollment() -> Vec<Case> {
    vec![
        key("no PIN was asked for", "drop-uv", NOT_VERIFIED),
        key("asked for another relying party", "rp-id=evil.example.com", OTHER_RELYING_PARTY),
        key("a credential that needs no PIN", "drop-cred-protect", UNPROTECTED),
        Case {
            touched: false,
            ..network(
                "a challenge for another relying party",
                change_answer(ENROLL_CHALLENGE, |answer| {
                    answer["options"]["publicKey"]["rp"]["id"] = "evil.example.com".into();
                }),
                OTHER_SITE,
            )
        },
        network(
            "options without the protection",
            change_answer(ENROLL_CHALLENGE, |answer| {
                let extensions = answer["options"]["publicKey"]["extensions"].as_object_mut().unwrap();
                extensions.retain(|name, _| !name.to_lowercase().contains("protection"));
            }),
            UNPROTECTED,
        ),
        network(
            "another origin",
            change_request(ENROLL, |request| {
                request.change_json(|body| change_client_data(&mut body["credential"], other_origin));
            }),
            OTHER_ORIGIN,
        ),
        network(
            "a challenge of nobody's",
            change_request(ENROLL, |request| request.change_json(|body| body["state"] = "bm90aGluZw".into())),
            FOREIGN_CHALLENGE,
        ),
    ]
}

#[test]
fn no_lie_at_enrollment_leaves_a_key_or_uses_up_the_invite() {
    let world = World::start();
    let meddler = Meddler::before_the_issuer_of(&world);
    let invite = world.issuer.invite("alice@example.com");
    let mut key = world.key("key");
    let mut alice = world.developer("alice");
    alice.insert(&key);

    for case in lies_at_enrollment() {
        let (what, made) = (case.what, case.touched);
        let refused = attempt(&world, &alice, &mut key, &meddler, case, || alice.start_enrolling(&invite));
        assert_eq!(refused.text.contains(DELETED), made, "{what}: nothing stays on the key:\n{refused}");
    }

    behave(&mut key);
    alice.enroll(&invite);
    alice.login();
}

#[test]
fn a_key_that_does_not_prove_its_maker_is_not_enrolled() {
    let world = World::start();
    let meddler = Meddler::before_the_issuer_of(&world);
    let invite = world.issuer.invite("alice@example.com");
    let unattested = KeyOptions { unattested: true, ..KeyOptions::default() };
    let mut key = world.key_with("unattested", unattested.clone());
    let mut alice = world.developer("alice");
    alice.insert(&key);

    let case = Case { what: "no certificate", options: unattested, network: None, words: UNATTESTED, touched: true };
    let refused = attempt(&world, &alice, &mut key, &meddler, case, || alice.start_enrolling(&invite));
    assert!(refused.text.contains(DELETED), "nothing stays on the key:\n{refused}");
}

#[test]
fn a_challenge_that_is_answered_too_late_begins_no_session() {
    let clock = Clock::new();
    let world = World::start_prepared(Prepared::at(&clock), |_| {});
    let meddler = Meddler::before_the_issuer_of(&world);
    let (alice, mut key) = world.signed_in("alice");
    let _ = alice.vouch(&["logout"]).succeeded();
    let path = Request::new(reqwest::Method::POST, CHALLENGE);
    let old = meddler.issuer().send(&path);
    clock.set_minutes(6);

    let late = network("a challenge of six minutes ago", give_again(CHALLENGE, old), TOO_LATE);
    let _ = attempt(&world, &alice, &mut key, &meddler, late, || alice.vouch_at_terminal(&["login"]));

    behave(&mut key);
    alice.login();
}

/// Lets a person meet one lie, and insists on the words, the exit code, and that nothing came of it.
fn attempt(
    world: &World,
    person: &Developer,
    key: &mut VirtualKey,
    meddler: &Meddler,
    case: Case,
    start: impl FnOnce() -> Terminal,
) -> Finished {
    let Case { what, options, network, words, touched } = case;
    key.pull_out();
    key.behave(options);
    key.insert();
    network.into_iter().for_each(|network| meddler.will(network));
    let before = world.issuer.records();

    let mut terminal = start();
    let _ = unlock_unless_it_ends(&mut terminal);
    let refused = terminal.finish();
    assert_eq!(without_time(last_line(&refused)), words, "{what}:\n{refused}");
    assert_eq!(refused.status.code(), Some(DENIED), "{what}:\n{refused}");
    assert_eq!(key.touches() > 0, touched, "{what}: whether the key was asked:\n{refused}");
    assert_eq!(world.issuer.records(), before, "{what}: nothing is written");
    gets_no_credential(person, what);
    meddler.will_behave();
    refused
}

/// Nobody is signed in, on a machine that may not even know its issuer yet.
fn gets_no_credential(person: &Developer, what: &str) {
    let asked = person.vouch(&["credential", "aws", "--role", ROLE]);
    let words = match asked.code {
        Some(2) => "you are not signed in",
        Some(6) => "this machine does not know your issuer yet",
        _ => panic!("{what}: {asked}"),
    };
    assert!(asked.stderr.contains(words) && asked.stdout.is_empty(), "{what}: {asked}");
}

fn behave(key: &mut VirtualKey) {
    key.pull_out();
    key.behave(KeyOptions::default());
    key.insert();
}

fn last_line(finished: &Finished) -> &str {
    finished.text.lines().last().unwrap_or_default()
}

/// The words with `TIME` in place of a moment that is told to the second.
fn without_time(words: &str) -> String {
    let is_time = |word: &str| {
        let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        shape == "0000-00-00T00:00:00Z."
    };
    words.split(' ').map(|word| if is_time(word) { "TIME." } else { word }).collect::<Vec<_>>().join(" ")
}

fn change_client_data(credential: &mut Value, change: impl Fn(&str) -> String) {
    let member = &mut credential["response"]["clientDataJSON"];
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(member.as_str().unwrap()).unwrap()).unwrap();
    *member = URL_SAFE_NO_PAD.encode(change(&text)).into();
}

fn other_origin(client_data: &str) -> String {
    client_data.replace(ISSUER_URL, "https://evil.example.com")
}
