//! A session token is bound to a key in its agent's memory. Whoever reads it off the wire gets nothing for it, and not
//! even its owner gets anything once the session has ended.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use vouch_scenarios::{
    World,
    developer::Developer,
    guide::{self, HUB, developer_role},
    manifest::ISSUER_URL,
    meddler::{Answer, Meddler, Request, TOKEN, Upstream},
    proof::ProofKey,
    wait::{PATIENCE, until},
};

const AWS_TOKEN: &str = "/v1/aws/token";
const KEYS: &str = "/v1/keys";
const ALICE: &str = "alice@example.com";

#[test]
fn a_token_without_its_key_is_worth_nothing() {
    let world = World::start();
    let meddler = Meddler::before_the_issuer_of(&world);
    world.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = world.signed_in("alice");
    let _ = alice.vouch(&["credential", "aws", "--role", &developer_role(HUB)]).succeeded();
    let token = stolen(&meddler.last(TOKEN).1);
    let (own, answered) = meddler.last(AWS_TOKEN);
    let nonce = answered.header("dpop-nonce");
    let before = world.issuer.records();
    until("the assertion in the audit trail", PATIENCE, || (minted(&world) == 1).then_some(()));

    let thief = ProofKey::new();
    let url = format!("{ISSUER_URL}{AWS_TOKEN}");
    let proof = |nonce, token| thief.prove("POST", &url, nonce, token);
    let of_another_url = thief.prove("POST", &format!("{ISSUER_URL}{KEYS}"), Some(&nonce), Some(&token));
    let keys = Request { method: Method::GET, path: KEYS.to_owned(), body: Vec::new(), ..own.clone() };
    let asked = wants_assertion().with("authorization", &format!("DPoP {token}"));
    let bearer = wants_assertion().with("authorization", &format!("Bearer {token}"));
    let wrong = |description| refusal("invalid_dpop_proof", description, None);
    let thefts = [
        ("no proof", asked.clone(), wrong("The request needs exactly one DPoP proof, in the DPoP header.")),
        (
            "as a bearer token",
            bearer,
            refusal(
                "invalid_token",
                "The Authorization header must be `DPoP` and a session token.",
                Some("Run `vouch login`."),
            ),
        ),
        (
            "a proof of the thief's without a nonce",
            asked.clone().with("dpop", &proof(None, Some(&token))),
            refusal(
                "use_dpop_nonce",
                "The DPoP proof needs the nonce of this answer.",
                Some("Repeat the request with the nonce of the DPoP-Nonce header."),
            ),
        ),
        (
            "a proof of the thief's",
            asked.clone().with("dpop", &proof(Some(&nonce), Some(&token))),
            wrong("The session token belongs to another DPoP key."),
        ),
        (
            "a proof of the thief's, of no token",
            asked.clone().with("dpop", &proof(Some(&nonce), None)),
            wrong("The DPoP proof is for another session token."),
        ),
        (
            "a proof of the thief's, for another address",
            asked.with("dpop", &of_another_url),
            wrong("The DPoP proof is for another URL than https://vouch.example.com/v1/aws/token."),
        ),
        (
            "the owner's request once more",
            own,
            refusal("invalid_dpop_proof", "The proof has been used before.", Some("Try again.")),
        ),
        ("the owner's proof for another request", keys, wrong("The DPoP proof is for another HTTP method.")),
    ];
    for (what, theft, words) in thefts {
        let answer = meddler.issuer().send(&theft);
        assert_eq!((answer.status.as_u16(), body(&answer)), (401, words), "{what}");
    }
    assert_eq!(world.issuer.records(), before, "nothing is written");
    assert_eq!(minted(&world), 1, "nobody but alice got an assertion");
    let _ = alice.vouch(&["keys", "list"]).succeeded();
}

/// A way to end a session, and what its token is answered from then on.
struct End {
    what: &'static str,
    end: fn(&World, &Developer),
    words: Value,
    /// What lets the person sign in again.
    afterwards: fn(&World),
}

fn ends() -> [End; 3] {
    let ended = |description, hint| refusal("session_ended", description, Some(hint));
    [
        End {
            what: "logged out everywhere, from another machine",
            end: |_, other| drop(other.vouch(&["logout", "--everywhere"]).succeeded()),
            words: ended("Every session of this account was ended.", "Run `vouch login`."),
            afterwards: |_| {},
        },
        End {
            what: "disabled",
            end: |world, _| drop(world.issuer.admin(&["disable", ALICE]).succeeded()),
            words: ended("This account is disabled.", "Ask an administrator."),
            afterwards: |world| drop(world.issuer.admin(&["enable", ALICE]).succeeded()),
        },
        End {
            what: "the key was removed",
            end: |world, _| {
                let shown = world.issuer.admin(&["users", "show", ALICE, "--output", "json"]).succeeded().json();
                let key = shown["keys"][0]["id"].as_str().unwrap();
                let _ = world.issuer.admin(&["remove-key", ALICE, key, "--allow-last"]).succeeded();
            },
            words: ended("The security key of this session has been removed.", "Run `vouch login`."),
            afterwards: |_| {},
        },
    ]
}

#[test]
fn a_token_is_worth_nothing_after_its_session_not_even_with_its_key() {
    let world = World::start();
    let meddler = Meddler::before_the_issuer_of(&world);
    let (desktop, key) = world.signed_in("alice");
    let mut laptop = world.developer("alice-on-the-road");
    laptop.insert(&key);
    laptop.login_for_the_first_time();
    for End { what, end, words, afterwards } in ends() {
        // Somebody inside TLS binds the session to a key of their own: the only way to hold a token with its key.
        let holder = Arc::new(ProofKey::new());
        let own = Arc::clone(&holder);
        meddler.will(Box::new(move |request, issuer| match request.path.as_str() {
            TOKEN => send_with(issuer, &own, request, None),
            _ => issuer.send(&request),
        }));
        laptop.login_again();
        meddler.will_behave();
        let token = stolen(&meddler.last(TOKEN).1);
        desktop.login_again();

        let wanted = || send_with(&meddler.issuer(), &holder, wants_assertion(), Some(&token));
        let granted = wanted();
        assert_eq!(granted.status, 200, "{what}: before: {granted:?}");
        end(&world, &desktop);
        let before =
            until("the end to be written", PATIENCE, || (wanted().status != 200).then(|| world.issuer.records()));
        let refused = wanted();
        assert_eq!((refused.status.as_u16(), body(&refused)), (401, words), "{what}");
        assert_eq!(world.issuer.records(), before, "{what}: nothing is written");
        afterwards(&world);
    }
}

/// An assertion for a role, asked for by nobody yet.
fn wants_assertion() -> Request {
    Request::new(Method::POST, AWS_TOKEN).with_json(&json!({"role": developer_role(HUB)}))
}

/// Sends a request with a proof by `key`; once more when the issuer wants its nonce.
fn send_with(issuer: &Upstream, key: &ProofKey, mut request: Request, token: Option<&str>) -> Answer {
    let url = format!("{ISSUER_URL}{}", request.path);
    if let Some(token) = token {
        request.set("authorization", &format!("DPoP {token}"));
    }
    let mut prove = |nonce: Option<&str>| {
        request.set("dpop", &key.prove(request.method.as_str(), &url, nonce, token));
        issuer.send(&request)
    };
    let first = prove(None);
    if body(&first)["error"] == "use_dpop_nonce" { prove(Some(&first.header("dpop-nonce"))) } else { first }
}

fn stolen(answer: &Answer) -> String {
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// The body without the id that finds the audit line of the request.
fn body(answer: &Answer) -> Value {
    let mut body = answer.json();
    body.as_object_mut().unwrap().remove("request_id");
    body
}

fn refusal(error: &str, description: &str, hint: Option<&str>) -> Value {
    let mut body = json!({"error": error, "error_description": description});
    if let Some(hint) = hint {
        body["hint"] = hint.into();
    }
    body
}

fn minted(world: &World) -> usize {
    world.issuer.audit().iter().filter(|line| line["action"] == "minted" && line.get("refused").is_none()).count()
}
