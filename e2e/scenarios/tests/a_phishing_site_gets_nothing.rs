//! A person is lured to somebody else's address, which relays everything to the real issuer and back.
//!
//! The relay has a certificate that the person's machine trusts: anybody gets one for a name of their own. What stops it
//! is that this machine signs the address it was told, and asks the key in that address's name alone.

use std::{fs, sync::Arc};

use vouch_scenarios::{
    World,
    developer::{Developer, unlock},
    manifest::{ISSUER_HOST, ISSUER_URL},
    meddler::{CHALLENGE, ENROLL, Meddler, TOKEN, change_answer},
    proof::ProofKey,
    virtual_key::VirtualKey,
};

const DISCOVERY: &str = "/.well-known/openid-configuration";
const SITE: &str = "vouch-example.com";
const REFUSED: &str = "vouch: the issuer vouch-example.com asked for a signature for another site, vouch.example.com; \
    nothing was signed. Do not try again. Show this to your administrator: the issuer is set up wrongly, or somebody is \
    in between.";
const ANOTHER_NAME: &str = "vouch: what answers at https://vouch-example.com calls itself https://vouch.example.com. Use \
    the exact URL your administrator gave you, or show this to them";
const OTHER_ORIGIN: &str = "vouch: The answer was made for another website than this issuer. Check that the issuer URL \
    this machine is configured with is exactly the issuer's.";

/// A person whose machine was told that the issuer is at another address.
fn lured(world: &World, to: &str) -> (Developer, VirtualKey) {
    let (alice, key) = world.signed_in("alice");
    let _ = alice.vouch(&["logout"]).succeeded();
    let _ = key.touches();
    let file = alice.home().join(".config/vouch/config.toml");
    let told = fs::read_to_string(&file).unwrap().replace(ISSUER_URL, to);
    assert!(told.contains(to), "{told}");
    fs::write(&file, told).unwrap();
    (alice, key)
}

#[test]
fn a_relayed_challenge_is_not_signed() {
    let world = World::start();
    let (alice, key) = lured(&world, &format!("https://{SITE}"));
    let site = Meddler::posing_as(SITE, &world);
    let before = world.issuer.records();

    let refused = alice.vouch_at_terminal(&["login"]).finish();
    assert_eq!(refused.text, format!("{REFUSED}\n"));
    assert_eq!(refused.status.code(), Some(5), "{refused}");
    assert_eq!((site.seen(CHALLENGE).len(), site.seen(TOKEN).len(), key.touches()), (1, 0, 0));
    assert_eq!(world.issuer.records(), before);
}

#[test]
fn a_challenge_in_the_sites_own_name_finds_no_key() {
    let world = World::start();
    let (alice, key) = lured(&world, &format!("https://{SITE}"));
    let site = Meddler::posing_as(SITE, &world);
    site.will(change_answer(CHALLENGE, |answer| answer["options"]["publicKey"]["rpId"] = SITE.into()));
    let before = world.issuer.records();

    let mut login = alice.vouch_at_terminal(&["login"]);
    unlock(&mut login);
    login.expect("That key is not enrolled for you here. Touch another one, or press Ctrl-C.");
    login.interrupt();
    let stopped = login.finish();
    assert_eq!(stopped.status.code(), Some(130), "{stopped}");
    assert_eq!((site.seen(TOKEN).len(), key.touches()), (0, 0), "nothing was signed");
    assert_eq!(world.issuer.records(), before);
}

#[test]
fn a_signature_for_another_port_of_the_same_host_is_refused() {
    let world = World::start();
    let (alice, key) = lured(&world, &format!("{ISSUER_URL}:8443"));
    let site = Meddler::posing_as(ISSUER_HOST, &world);
    // It wants the session for itself, so it proves possession of its own key.
    let thief = Arc::new(ProofKey::new());
    site.will(Box::new(move |mut request, issuer| {
        if request.path != TOKEN {
            return issuer.send(&request);
        }
        let mut proven = |nonce: Option<&str>| {
            request.set("dpop", &thief.prove("POST", &format!("{ISSUER_URL}{TOKEN}"), nonce, None));
            issuer.send(&request)
        };
        let nonce = proven(None).header("dpop-nonce");
        proven(Some(&nonce))
    }));
    let before = world.issuer.records();

    let mut login = alice.vouch_at_terminal(&["login"]);
    unlock(&mut login);
    let refused = login.finish();
    assert_eq!(refused.text.lines().last(), Some(OTHER_ORIGIN), "{refused}");
    assert_eq!(refused.status.code(), Some(5), "{refused}");
    assert_eq!(key.touches(), 1, "the key signed, for the wrong address");
    assert_eq!(site.last(TOKEN).1.json()["error"], "invalid_grant");
    assert_eq!(world.issuer.records(), before);
}

#[test]
fn an_invite_given_to_a_site_enrolls_nothing_there() {
    let world = World::start();
    let site = Meddler::posing_as(SITE, &world);
    let invite = world.issuer.invite("alice@example.com");
    let key = world.key("key");
    let mut alice = world.developer("alice");
    alice.insert(&key);
    let before = world.issuer.records();

    let site_url = format!("https://{SITE}");
    let refused = alice.vouch_at_terminal(&["enroll", &site_url]).finish();
    assert_eq!(refused.text, format!("{ANOTHER_NAME}\n"));
    assert_eq!(refused.status.code(), Some(6), "{refused}");

    // It learns to give its own name, and then even gets the invite code.
    site.will(change_answer(DISCOVERY, move |answer| answer["issuer"] = site_url.as_str().into()));
    let mut enroll = alice.vouch_at_terminal(&["enroll", &format!("https://{SITE}")]);
    enroll.expect("Invite code: ");
    enroll.type_line(&invite.code);
    let refused = enroll.finish();
    assert_eq!(refused.text.lines().last(), Some(REFUSED), "{refused}");
    assert_eq!(refused.status.code(), Some(5), "{refused}");
    assert_eq!((site.seen(ENROLL).len(), key.touches()), (0, 0));
    assert_eq!(world.issuer.records(), before);

    alice.enroll(&invite);
    alice.login();
}
