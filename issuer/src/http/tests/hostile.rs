//! What somebody tries who picks the moment, or who speaks through other people's browsers.

use std::convert::Infallible;

use axum::body::Body;
use futures::{future::join_all, stream};
use http::{Method, Request, StatusCode};
use serde_json::json;
use tokio::sync::oneshot;
use vouch_issuer_api::paths;

use crate::testing::{authenticator::SecurityKey, client::Client, issuer::TestIssuer};

#[tokio::test]
async fn a_session_that_ends_while_a_request_is_on_its_way_gets_no_assertion() {
    for end in ["disabled", "logged out", "domain given up"] {
        let issuer = TestIssuer::new().await;
        let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
        let (asked, was_asked) = oneshot::channel();
        let (release, released) = oneshot::channel::<()>();
        let late = async move {
            // The handler reads the body: the head has been judged.
            asked.send(()).unwrap();
            released.await.unwrap();
            Ok::<_, Infallible>(json!({"role": "arn:aws:iam::111111111111:role/VouchAccess"}).to_string())
        };
        let mut request = Request::post(paths::AWS_TOKEN);
        *request.headers_mut().unwrap() = client.headers(&Method::POST, paths::AWS_TOKEN);
        let request = request.header("content-type", "application/json");
        let request = request.body(Body::from_stream(stream::once(late))).unwrap();
        let meanwhile = async {
            was_asked.await.unwrap();
            match end {
                "disabled" => issuer.change("alice", |user| user.disabled = true).await,
                "logged out" => {
                    issuer.change("alice", |user| user.end_sessions("2027-01-01T00:00:00Z".parse().unwrap())).await;
                }
                _ => {
                    let mut config = issuer.issuer.config.load().as_ref().clone();
                    config.organization.email_domains = vec!["other.example.com".parse().unwrap()];
                    issuer.issuer.configure(config);
                }
            }
            release.send(()).unwrap();
        };
        let (answer, ()) = tokio::join!(issuer.call(request), meanwhile);
        assert_eq!((answer.status, answer.error()), (StatusCode::UNAUTHORIZED, "session_ended"), "{end}");
        assert!(!issuer.trail().iter().any(|line| line["action"] == "minted"), "{end}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_registrations_with_one_invite_at_the_same_moment_one_wins() {
    let issuer = TestIssuer::new().await;
    let client = Client::new(&issuer);
    let code = issuer.invite("alice").await;
    let offers = join_all((0..8).map(|_| client.offer(&code))).await;
    let mut keys: Vec<_> = offers.iter().map(|_| SecurityKey::unattested()).collect();
    let attempts = offers.iter().zip(&mut keys).map(|(offer, key)| client.register(paths::ENROLL, offer, key));
    let answers = join_all(attempts).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::OK);
    assert_eq!(won.len(), 1);
    assert!(lost.iter().all(|answer| answer.error() == "invite_used"), "{lost:?}");
    assert_eq!(issuer.user("alice").await.keys.len(), 1);
}

#[tokio::test]
async fn a_web_page_gets_nothing_and_uses_up_nobodys_budget() {
    let issuer = TestIssuer::configured(|config| config.rate_limits.per_client.burst = 2.try_into().unwrap()).await;
    let challenge = || Request::post(paths::FIDO2_CHALLENGE);
    for site in ["cross-site", "same-site", "same-origin"] {
        for _ in 0..3 {
            let of_a_page = challenge().header("sec-fetch-site", site).header("origin", "https://evil.example.com");
            let answer = issuer.call(of_a_page.body(Body::empty()).unwrap()).await;
            assert_eq!((answer.status, answer.error()), (StatusCode::BAD_REQUEST, "invalid_request"), "{site}");
            assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
        }
    }
    for status in [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        assert_eq!(issuer.call(challenge().body(Body::empty()).unwrap()).await.status, status);
    }
    let keys = Request::get(paths::JWKS).header("sec-fetch-site", "cross-site").body(Body::empty()).unwrap();
    assert_eq!(issuer.call(keys).await.status, StatusCode::OK, "the keys are public, for verifiers in browsers, too");
}
