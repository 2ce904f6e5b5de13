//! What a session is worth, and what ends it.

use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::{Value, json};
use vouch_issuer_api::{paths, session::SessionInfo};

use crate::{
    clock::Clock as _,
    config::Config,
    identity::dpop::fresh_nonce,
    store::Store as _,
    testing::{
        authenticator::{ISSUER, SecurityKey},
        client::Client,
        dpop::ProofKey,
        issuer::TestIssuer,
    },
};

#[tokio::test]
async fn every_answer_to_a_proof_carries_the_next_nonce() {
    let issuer = TestIssuer::new().await;
    let mut client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let answer = client.get(paths::SESSION).await;
    let nonce = answer.headers["dpop-nonce"].to_str().unwrap().to_owned();
    client.proof_changes = json!({"nonce": nonce});
    assert_eq!(client.get(paths::SESSION).await.status, StatusCode::OK);
}

#[tokio::test]
async fn answers_carry_the_time_of_the_issuer_before_and_after_a_proof() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    issuer.clock.advance(Duration::from_secs(3600));
    let before = client.call(Method::POST, paths::FIDO2_CHALLENGE, json!({})).await;
    for answer in [before, client.get(paths::SESSION).await] {
        let date = DateTimeParser::new().parse_timestamp(&answer.headers["date"]).unwrap();
        assert_eq!(date.as_second(), issuer.clock.now().as_second());
    }
}

#[tokio::test]
async fn a_proof_names_the_whole_url_of_an_issuer_with_a_path() {
    let issuer = TestIssuer::configured(|config| config.url = format!("{ISSUER}/eu").parse().unwrap()).await;
    for (htu, code) in [("/eu/oauth/token", "invalid_request"), ("/oauth/token", "invalid_dpop_proof")] {
        let client = Client { proof_changes: json!({"htu": format!("{ISSUER}{htu}")}), ..Client::new(&issuer) };
        let refused = client.call(Method::POST, "/eu/oauth/token", json!({})).await;
        assert_eq!(refused.error(), code, "{htu}");
    }
}

#[tokio::test]
async fn refuses_a_proof_that_is_for_another_request() {
    let issuer = TestIssuer::new().await;
    let mut client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let foreign_nonce = fresh_nonce(&TestIssuer::new().await.issuer.secrets.load(), issuer.clock.now());
    for (wrong, code) in [
        (json!({"htm": "POST"}), "invalid_dpop_proof"),
        (json!({"htu": format!("{ISSUER}/v1/keys")}), "invalid_dpop_proof"),
        (json!({"htu": "https://other.example.com/v1/session"}), "invalid_dpop_proof"),
        (json!({"ath": ProofKey::token_hash("another token")}), "invalid_dpop_proof"),
        (json!({"ath": null}), "invalid_dpop_proof"),
        (json!({"iat": 1}), "invalid_dpop_proof"),
        (json!({"nonce": null}), "use_dpop_nonce"),
        (json!({"nonce": foreign_nonce}), "use_dpop_nonce"),
    ] {
        client.proof_changes = wrong;
        let refused = client.get(paths::SESSION).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::UNAUTHORIZED, code), "{:?}", client.proof_changes);
        let scheme = refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
        assert!(scheme.starts_with("DPoP ") && scheme.contains(code), "{scheme}");
        assert!(refused.headers.contains_key("dpop-nonce"));
    }
}

#[tokio::test]
async fn a_proof_works_once() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let headers = client.headers(&Method::GET, paths::SESSION);
    for expected in [StatusCode::OK, StatusCode::UNAUTHORIZED] {
        let mut request = Request::get(paths::SESSION);
        *request.headers_mut().unwrap() = headers.clone();
        assert_eq!(issuer.call(request.body(Body::empty()).unwrap()).await.status, expected);
    }
}

#[tokio::test]
async fn a_nonce_from_before_the_start_is_asked_for_again_and_one_of_another_replica_is_taken() {
    let issuer = TestIssuer::new().await;
    let start = issuer.clock.now();
    let mut client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let nonce = |moment| json!({"nonce": fresh_nonce(&issuer.issuer.secrets.load(), moment)});
    client.proof_changes = nonce(start - Duration::from_micros(1));
    let refused = client.get(paths::SESSION).await;
    assert_eq!((refused.status, refused.error()), (StatusCode::UNAUTHORIZED, "use_dpop_nonce"));
    client.proof_changes = json!({"nonce": refused.headers["dpop-nonce"].to_str().unwrap()});
    assert_eq!(client.get(paths::SESSION).await.status, StatusCode::OK);
    client.proof_changes = nonce(start + Duration::from_micros(1));
    assert_eq!(client.get(paths::SESSION).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_token_is_nothing_without_its_scheme_its_proof_and_its_single_header() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let token = client.token.clone().unwrap();
    let proof = || client.proof(&Method::GET, paths::SESSION);
    let request = || Request::get(paths::SESSION);
    let cases = [
        (request().header("dpop", proof()), "invalid_token"),
        (request().header("dpop", proof()).header("authorization", format!("Bearer {token}")), "invalid_token"),
        (request().header("dpop", proof()).header("authorization", token.clone()), "invalid_token"),
        (request().header("authorization", format!("DPoP {token}")), "invalid_dpop_proof"),
        (
            request()
                .header("dpop", proof())
                .header("authorization", format!("DPoP {token}"))
                .header("authorization", format!("DPoP {token}")),
            "invalid_token",
        ),
        (
            request().header("dpop", proof()).header("dpop", proof()).header("authorization", format!("DPoP {token}")),
            "invalid_dpop_proof",
        ),
    ];
    for (request, code) in cases {
        let refused = issuer.call(request.body(Body::empty()).unwrap()).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::UNAUTHORIZED, code));
    }
}

#[tokio::test]
async fn a_token_for_aws_is_no_session_and_a_session_is_no_token_for_aws() {
    let issuer = TestIssuer::new().await;
    let mut client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let session = client.token.clone().unwrap();
    let claims: Value = jsonwebtoken::dangerous::insecure_decode(&session).unwrap().claims;
    assert_ne!(claims["aud"], ISSUER, "AWS would take it");
    let mut forged = claims;
    forged["aud"] = ISSUER.into();
    client.token = Some(issuer.issuer.keys.signer().unwrap().sign_jwt(Some("JWT"), &forged).unwrap());
    assert_eq!(client.get(paths::SESSION).await.error(), "invalid_token");
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    let (issuer, other) = (TestIssuer::new().await, TestIssuer::new().await);
    let foreign = Client::signed_in(&other, "alice", &mut SecurityKey::unattested()).await;
    let client = Client { issuer: &issuer, ..foreign };
    let refused = client.get(paths::SESSION).await;
    assert_eq!((refused.status, refused.error()), (StatusCode::UNAUTHORIZED, "invalid_token"));
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    issuer.clock.advance(Duration::from_secs(8 * 3600));
    let refused = client.get(paths::SESSION).await;
    assert_eq!((refused.status, refused.error()), (StatusCode::UNAUTHORIZED, "invalid_token"));
}

#[tokio::test]
async fn a_logout_everywhere_ends_every_session_and_allows_the_next() {
    let issuer = TestIssuer::new().await;
    let mut key = SecurityKey::unattested();
    let mut laptop = Client::signed_in(&issuer, "alice", &mut key).await;
    let mut desktop = Client::new(&issuer);
    desktop.sign_in(&mut key).await;
    // The clock stands still: all of this happens within one instant.
    assert_eq!(laptop.call(Method::DELETE, paths::SESSION, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(issuer.last_event().0, "logged_out_everywhere");
    for client in [&laptop, &desktop] {
        assert_eq!(client.get(paths::SESSION).await.error(), "session_ended");
    }
    laptop.sign_in(&mut key).await;
    assert_eq!(laptop.get(paths::SESSION).await.status, StatusCode::OK);
    assert_eq!(desktop.get(paths::SESSION).await.error(), "session_ended");
}

#[tokio::test]
async fn a_disabled_person_has_no_session() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    issuer.change("alice", |user| user.disabled = true).await;
    for (method, path) in [
        (Method::GET, paths::SESSION),
        (Method::DELETE, paths::SESSION),
        (Method::GET, paths::SESSION_WATCH),
        (Method::GET, paths::KEYS),
    ] {
        let refused = client.call(method, path, Value::Null).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::UNAUTHORIZED, "session_ended"), "{path}");
    }
}

#[tokio::test]
async fn a_request_without_a_valid_session_writes_nothing() {
    let issuer = TestIssuer::new().await;
    let client = Client { token: None, ..Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await };
    let changes = issuer.issuer.store.changes();
    for (method, path) in [
        (Method::DELETE, paths::SESSION.to_owned()),
        (Method::POST, format!("{}/0123456789abcdef/removal", paths::KEYS)),
        (Method::PATCH, format!("{}/0123456789abcdef", paths::KEYS)),
        (Method::POST, paths::KEYS_CHALLENGE.to_owned()),
        (Method::POST, paths::KEYS.to_owned()),
    ] {
        assert_eq!(client.call(method, &path, json!({})).await.error(), "invalid_token", "{path}");
    }
    assert!(!changes.has_changed().unwrap());
}

#[tokio::test]
async fn one_person_cannot_use_up_what_another_needs() {
    let issuer = TestIssuer::configured(|config| config.rate_limits.per_user.burst = 5.try_into().unwrap()).await;
    let alice = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let bob = Client::signed_in(&issuer, "bob", &mut SecurityKey::unattested()).await;
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(alice.get(paths::SESSION).await);
    }
    let refused = answers.last().unwrap();
    assert_eq!((refused.status, refused.error()), (StatusCode::TOO_MANY_REQUESTS, "rate_limited"));
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(bob.get(paths::SESSION).await.status, StatusCode::OK);
}

/// Watches a session while something happens to it.
async fn watch_during(
    client: &Client<'_>,
    timeout: u32,
    event: impl Future<Output = ()>,
) -> (crate::testing::issuer::Answer, Duration) {
    let began = Instant::now();
    let path = format!("{}?timeout={timeout}", paths::SESSION_WATCH);
    let (answer, ()) = tokio::join!(client.get(&path), event);
    (answer, began.elapsed())
}

/// Holds three rounds to a second. A machine under load may be late once; an issuer that keeps its promise is not late every
/// time, and no watcher waits so long that the end of its watch has helped.
async fn assert_promptly(mut round: impl AsyncFnMut() -> Duration) {
    let took = [round().await, round().await, round().await];
    assert!(took.iter().any(|took| *took < Duration::from_secs(1)), "{took:?}");
    assert!(took.iter().all(|took| *took < Duration::from_secs(10)), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_learns_of_a_logout_in_under_a_second() {
    let issuer = TestIssuer::new().await;
    let mut key = SecurityKey::unattested();
    let mut watcher = Client::signed_in(&issuer, "alice", &mut key).await;
    let mut other = Client::new(&issuer);
    assert_promptly(async || {
        watcher.sign_in(&mut key).await;
        other.sign_in(&mut key).await;
        let logout = async {
            assert_eq!(other.call(Method::DELETE, paths::SESSION, Value::Null).await.status, StatusCode::NO_CONTENT);
        };
        let (answer, took) = watch_during(&watcher, 30, logout).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::UNAUTHORIZED, "session_ended"));
        took
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_learns_of_what_another_process_did_in_under_a_second() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let store = issuer.other_store();
    assert_promptly(async || {
        let disable = async {
            let stored = issuer.stored("alice").await;
            let mut next = stored.user.clone();
            next.disabled = true;
            store.replace(&stored, &next).await.unwrap();
        };
        let (answer, took) = watch_during(&client, 30, disable).await;
        assert_eq!(answer.error(), "session_ended");
        issuer.change("alice", |user| user.disabled = false).await;
        took
    })
    .await;
}

#[tokio::test]
async fn a_watcher_is_not_disturbed_by_what_happens_to_others_and_hears_when_the_time_is_over() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let others = async {
        issuer.invite("bob").await;
        issuer.change("bob", |user| user.disabled = true).await;
    };
    let (answer, took) = watch_during(&client, 1, others).await;
    assert_eq!(answer.read::<SessionInfo>().email, "alice@example.com");
    assert!(took >= Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_watcher_is_let_go_when_the_issuer_goes_away() {
    assert_promptly(async || {
        let issuer = TestIssuer::new().await;
        let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
        let drain = async { issuer.issuer.lifecycle.begin_draining() };
        let (answer, took) = watch_during(&client, 30, drain).await;
        assert_eq!(answer.status, StatusCode::OK);
        took
    })
    .await;
}

#[tokio::test]
async fn a_watcher_learns_at_once_that_a_reload_took_its_domain_or_its_time_away() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    issuer.clock.advance(Duration::from_secs(3600));
    let reload = async |change: fn(&mut Config)| {
        // Not before the watcher has seen that all is well.
        while issuer.issuer.configured.receiver_count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut config = issuer.issuer.config.load().as_ref().clone();
        change(&mut config);
        issuer.issuer.configure(config);
    };
    for (change, code) in [
        ((|config| config.session_lifetime = Duration::from_secs(1800)) as fn(&mut Config), "invalid_token"),
        (|config| config.organization.email_domains = vec!["other.example.com".parse().unwrap()], "session_ended"),
    ] {
        let before = issuer.issuer.config.load().as_ref().clone();
        assert_promptly(async || {
            let (answer, took) = watch_during(&client, 30, reload(change)).await;
            assert_eq!((answer.status, answer.error()), (StatusCode::UNAUTHORIZED, code));
            issuer.issuer.configure(before.clone());
            took
        })
        .await;
    }
}

#[tokio::test]
async fn a_reload_that_takes_nothing_away_does_not_disturb_a_watcher() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let reload = async { issuer.issuer.configure(issuer.issuer.config.load().as_ref().clone()) };
    let (answer, took) = watch_during(&client, 1, reload).await;
    assert_eq!(answer.read::<SessionInfo>().email, "alice@example.com");
    assert!(took >= Duration::from_secs(1), "{took:?}");
}
