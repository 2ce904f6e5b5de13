//! The challenge and the token endpoint.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use vouch_issuer_api::{oauth::FIDO2_GRANT, paths};

use crate::{
    identity::{
        dpop::NONCE_LIFETIME,
        login::{self, Answered},
        refusal::Refusal,
        webauthn::{KeyFault, RelyingParty},
    },
    testing::{
        authenticator::{ISSUER, SecurityKey},
        client::Client,
        dpop::ProofKey,
        issuer::TestIssuer,
    },
};

/// An enrolled person with a client.
async fn alice(issuer: &TestIssuer) -> (Client<'_>, SecurityKey) {
    let (client, mut key) = (Client::new(issuer), SecurityKey::unattested());
    client.enroll("alice", &mut key).await;
    (client, key)
}

#[tokio::test]
async fn a_tap_buys_a_session_that_names_the_person_and_the_key() {
    let issuer = TestIssuer::new().await;
    let (mut client, mut key) = alice(&issuer).await;
    let response = client.sign_in(&mut key).await;
    assert_eq!(response.token_type, "DPoP");
    assert_eq!(response.expires_in, 8 * 3600 - 1);
    assert_eq!(response.session.email, "alice@example.com");
    assert_eq!(response.session.organization, "Example");
    assert_eq!(response.session.key_name, "Security key");
    assert_eq!(client.get(paths::SESSION).await.read::<Value>(), serde_json::to_value(&response.session).unwrap());
    let user = issuer.user("alice").await;
    assert_eq!(user.keys[0].last_used_at, Some(response.session.signed_in_at));
    let line = issuer.trail().pop().unwrap();
    assert_eq!(line["action"], "login");
    assert_eq!(line["key_id"], response.session.key_id);
    assert_eq!(line["source"], "192.0.2.1");
    assert!(line["request_id"].is_string());
}

#[tokio::test]
async fn a_challenge_writes_nothing_and_asks_for_any_key() {
    let issuer = TestIssuer::new().await;
    let (client, _) = alice(&issuer).await;
    let changes = issuer.issuer.store.changes();
    let lines = issuer.trail().len();
    for _ in 0..10 {
        assert!(client.challenge().await.options.public_key.allow_credentials.is_empty());
    }
    assert!(!changes.has_changed().unwrap());
    assert_eq!(issuer.trail().len(), lines);
}

#[tokio::test]
async fn an_assertion_works_once() {
    let issuer = TestIssuer::new().await;
    let (client, mut key) = alice(&issuer).await;
    for counts in [true, false] {
        key.counts = counts;
        key.counter = if counts { 10 } else { 0 };
        issuer
            .change("alice", |user| {
                let mut json = serde_json::to_value(&user.keys[0].passkey).unwrap();
                json["cred"]["counter"] = 0.into();
                user.keys[0].passkey = serde_json::from_value(json).unwrap();
            })
            .await;
        let challenge = client.challenge().await;
        let assertion = key.assert(&challenge.options);
        assert_eq!(client.redeem(&challenge.state, &assertion).await.status, StatusCode::OK);
        let before = issuer.stored("alice").await;
        let again = client.redeem(&challenge.state, &assertion).await;
        assert_eq!((again.status, again.error()), (StatusCode::BAD_REQUEST, "invalid_grant"));
        assert!(again.is(Refusal::Replayed), "{again:?}");
        assert_eq!(issuer.stored("alice").await.version, before.version, "a refusal wrote something");
        let event = issuer.last_event();
        assert_eq!(event, ("login".to_owned(), Some("invalid_grant".to_owned()), Some("alice@example.com".to_owned())));
    }
}

#[tokio::test]
async fn a_challenge_works_once_even_for_a_second_assertion() {
    let issuer = TestIssuer::new().await;
    let (client, mut key) = alice(&issuer).await;
    let challenge = client.challenge().await;
    assert_eq!(client.redeem(&challenge.state, &key.assert(&challenge.options)).await.status, StatusCode::OK);
    assert_eq!(client.redeem(&challenge.state, &key.assert(&challenge.options)).await.error(), "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_redemptions_at_the_same_moment_one_wins() {
    let issuer = TestIssuer::new().await;
    let (client, mut key) = alice(&issuer).await;
    let challenge = client.challenge().await;
    let assertion = key.assert(&challenge.options);
    let now = crate::clock::Clock::now(&*issuer.clock);
    let mut redemptions = Vec::new();
    for _ in 0..16 {
        let store = issuer.other_store();
        let open = login::open_challenge(&issuer.issuer.secrets.load(), &challenge.state, now).unwrap();
        let assertion = assertion.clone();
        redemptions.push(tokio::spawn(async move {
            let party = RelyingParty::new(&ISSUER.parse().unwrap(), "Example").unwrap();
            let owner = login::owner(&store, &assertion).await.unwrap();
            let organization = crate::testing::issuer::config().organization;
            let (organization, challenge, assertion) = (&organization, &open, &assertion);
            let answered = Answered { party: &party, organization, challenge, assertion, now };
            answered.consume(&store, owner).await.is_ok()
        }));
    }
    let mut won = 0;
    for redemption in redemptions {
        won += u32::from(redemption.await.unwrap());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn an_expired_or_foreign_challenge_is_worthless() {
    let (issuer, other) = (TestIssuer::new().await, TestIssuer::new().await);
    let (client, mut key) = alice(&issuer).await;
    let challenge = client.challenge().await;
    let assertion = key.assert(&challenge.options);
    issuer.clock.advance(Duration::from_secs(300));
    assert_eq!(client.redeem(&challenge.state, &assertion).await.error(), "invalid_grant");
    let foreign = Client::new(&other).challenge().await;
    assert_eq!(client.redeem(&foreign.state, &key.assert(&foreign.options)).await.error(), "invalid_grant");
    let offer = client.offer(&issuer.invite("bob").await).await;
    assert_eq!(client.redeem(&offer.state, &assertion).await.error(), "invalid_grant");
}

#[tokio::test]
async fn refuses_what_differs_from_an_honest_assertion() {
    type Change = fn(&mut SecurityKey);
    let changes: [(&str, Change, &str); 9] = [
        ("no verification", |key| key.user_verified = false, "invalid_grant"),
        ("no touch", |key| key.user_present = false, "invalid_grant"),
        ("another origin", |key| key.origin = "https://vouch.example.org".to_owned(), "invalid_grant"),
        ("another relying party", |key| key.rp_id = Some("example.com".to_owned()), "invalid_grant"),
        ("a counter that went back", |key| key.counter = 0, "invalid_grant"),
        ("somebody else's handle", |key| key.user_handle = Some(vec![7; 16]), "invalid_grant"),
        ("an e-mail as handle", |key| key.user_handle = Some(b"alice@example.com".to_vec()), "invalid_grant"),
        ("no handle", |key| key.user_handle = None, "invalid_grant"),
        ("an unknown credential", |key| key.credential_id = vec![1; 32], "key_unknown"),
    ];
    for (what, change, code) in changes {
        let issuer = TestIssuer::new().await;
        let (mut client, mut key) = alice(&issuer).await;
        let before = issuer.stored("alice").await;
        change(&mut key);
        let refused = client.try_sign_in(&mut key).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::BAD_REQUEST, code), "{what}: {refused:?}");
        assert!(refused.body["hint"].is_string(), "{what}: {refused:?}");
        assert_eq!(issuer.stored("alice").await.version, before.version, "{what}: something was written");
        assert_eq!(issuer.last_event().1.as_deref(), Some(code), "{what}");
    }
}

#[tokio::test]
async fn a_copy_of_a_key_is_noticed_by_its_counter() {
    let issuer = TestIssuer::new().await;
    let (mut client, mut key) = alice(&issuer).await;
    key.counter = 10;
    client.sign_in(&mut key).await;
    key.counter = 5;
    let refused = client.try_sign_in(&mut key).await;
    assert_eq!(refused.error(), "invalid_grant");
    assert!(refused.is(KeyFault::Counter.into()), "{refused:?}");
}

#[tokio::test]
async fn a_key_answering_for_another_person_is_refused() {
    let issuer = TestIssuer::new().await;
    let (mut client, mut alices) = alice(&issuer).await;
    let mut bobs = SecurityKey::unattested();
    client.enroll("bob", &mut bobs).await;
    alices.user_handle.clone_from(&bobs.user_handle);
    assert_eq!(client.try_sign_in(&mut alices).await.error(), "invalid_grant");
}

#[tokio::test]
async fn a_disabled_person_does_not_sign_in() {
    let issuer = TestIssuer::new().await;
    let (mut client, mut key) = alice(&issuer).await;
    issuer.change("alice", |user| user.disabled = true).await;
    let refused = client.try_sign_in(&mut key).await;
    assert_eq!((refused.status, refused.error()), (StatusCode::FORBIDDEN, "user_disabled"));
    issuer.change("alice", |user| user.disabled = false).await;
    client.sign_in(&mut key).await;
}

#[tokio::test]
async fn the_token_endpoint_asks_for_its_nonce_and_answers_bad_request() {
    let issuer = TestIssuer::new().await;
    let (mut client, mut key) = alice(&issuer).await;
    client.proof_changes = json!({"nonce": "made up"});
    let refused = client.try_sign_in(&mut key).await;
    assert_eq!((refused.status, refused.error()), (StatusCode::BAD_REQUEST, "use_dpop_nonce"));
    assert!(!refused.headers.contains_key(header::WWW_AUTHENTICATE));
    let nonce = refused.headers["dpop-nonce"].to_str().unwrap().to_owned();
    client.proof_changes = json!({"nonce": nonce});
    client.sign_in(&mut key).await;
}

#[tokio::test]
async fn refuses_a_proof_that_is_for_something_else() {
    let issuer = TestIssuer::new().await;
    let (mut client, mut key) = alice(&issuer).await;
    for wrong in [
        json!({"htm": "GET"}),
        json!({"htu": "https://vouch.example.com/v1/session"}),
        json!({"htu": "https://other.example.com/oauth/token"}),
        json!({"iat": 0}),
        json!({"jti": ""}),
    ] {
        client.proof_changes = wrong;
        let refused = client.try_sign_in(&mut key).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::BAD_REQUEST, "invalid_dpop_proof"), "{refused:?}");
    }
}

#[tokio::test]
async fn refuses_a_request_without_a_proof_or_with_two() {
    let issuer = TestIssuer::new().await;
    let (client, _) = alice(&issuer).await;
    for proofs in [0, 2] {
        let mut request = Request::post(paths::TOKEN).header("content-type", "application/x-www-form-urlencoded");
        for _ in 0..proofs {
            request = request.header("dpop", client.proof(&Method::POST, paths::TOKEN));
        }
        let refused = issuer.call(request.body(Body::empty()).unwrap()).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::BAD_REQUEST, "invalid_dpop_proof"));
        assert!(refused.headers.contains_key("dpop-nonce"));
    }
}

#[tokio::test]
async fn a_proof_is_good_for_one_session() {
    let issuer = TestIssuer::new().await;
    let (mut client, mut key) = alice(&issuer).await;
    client.proof_changes = json!({"jti": "the same"});
    client.sign_in(&mut key).await;
    assert_eq!(client.try_sign_in(&mut key).await.error(), "invalid_dpop_proof");
    issuer.clock.advance(NONCE_LIFETIME.unsigned_abs() * 3);
    client.sign_in(&mut key).await;
}

#[tokio::test]
async fn refuses_other_grants_and_malformed_requests_by_name() {
    let issuer = TestIssuer::new().await;
    let (client, mut key) = alice(&issuer).await;
    let challenge = client.challenge().await;
    let assertion = serde_json::to_string(&key.assert(&challenge.options)).unwrap();
    let state = challenge.state.as_str();
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("grant_type", "password")], "unsupported_grant_type"),
        (&[("grant_type", "client_credentials"), ("state", state)], "unsupported_grant_type"),
        (&[("state", state), ("assertion", &assertion)], "invalid_request"),
        (&[("grant_type", FIDO2_GRANT), ("assertion", &assertion)], "invalid_request"),
        (&[("grant_type", FIDO2_GRANT), ("state", state)], "invalid_request"),
        (&[("grant_type", FIDO2_GRANT), ("state", state), ("assertion", "{}")], "invalid_request"),
    ];
    for (form, code) in cases {
        let refused = client.form(form).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::BAD_REQUEST, code), "{form:?}");
    }
    let twice = [("grant_type", FIDO2_GRANT), ("state", state), ("state", state), ("assertion", &assertion)];
    assert_eq!(client.form(&twice).await.error(), "invalid_request");
}

#[tokio::test]
async fn an_account_that_signs_in_without_end_is_slowed_down() {
    let issuer = TestIssuer::new().await;
    let (mut client, mut key) = alice(&issuer).await;
    for _ in 0..64 {
        client.sign_in(&mut key).await;
    }
    let refused = client.try_sign_in(&mut key).await;
    assert_eq!((refused.status, refused.error()), (StatusCode::TOO_MANY_REQUESTS, "rate_limited"));
    assert_eq!(issuer.user("alice").await.used_challenges.len(), 64);
    issuer.clock.advance(Duration::from_secs(300));
    client.sign_in(&mut key).await;
    assert_eq!(issuer.user("alice").await.used_challenges.len(), 1, "expired challenges are forgotten");
}

#[tokio::test]
async fn the_session_belongs_to_the_key_of_the_proof() {
    let issuer = TestIssuer::new().await;
    let (mut client, mut key) = alice(&issuer).await;
    client.sign_in(&mut key).await;
    let stolen = Client { token: client.token.clone(), key: ProofKey::generate(), ..Client::new(&issuer) };
    let refused = stolen.get(paths::SESSION).await;
    assert_eq!((refused.status, refused.error()), (StatusCode::UNAUTHORIZED, "invalid_dpop_proof"));
    assert_eq!(client.get(paths::SESSION).await.status, StatusCode::OK);
}
