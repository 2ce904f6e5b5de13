//! Every public route, with every kind of wrong credential. The table is the router's own: a new route is tried too.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::json;

use crate::{
    http::router::{Access, Route, routes},
    testing::{
        authenticator::SecurityKey,
        client::Client,
        dpop::ProofKey,
        issuer::{Answer, TestIssuer},
    },
};

fn path_of(route: &Route) -> String {
    route.path.replace("{id}", "0123456789abcdef")
}

async fn call(client: &Client<'_>, route: &Route) -> Answer {
    client.call(route.method.clone(), &path_of(route), json!({})).await
}

#[tokio::test]
async fn nothing_but_the_open_routes_answers_a_stranger() {
    let issuer = TestIssuer::new().await;
    for route in routes() {
        let request = Request::builder().method(route.method.clone()).uri(path_of(&route));
        let answer = issuer.call(request.body(Body::from("{}")).unwrap()).await;
        let (status, code) = match route.access {
            Access::Document => (StatusCode::OK, None),
            Access::Open => continue,
            Access::Proof => (StatusCode::BAD_REQUEST, Some("invalid_dpop_proof")),
            Access::Session => (StatusCode::UNAUTHORIZED, Some("invalid_token")),
        };
        assert_eq!(answer.status, status, "{route:?}");
        assert_eq!(code, code.map(|_| answer.error()), "{route:?}");
    }
}

#[tokio::test]
async fn no_route_takes_a_wrong_session_or_proof() {
    let (issuer, elsewhere) = (TestIssuer::new().await, TestIssuer::new().await);
    let mut key = SecurityKey::unattested();
    let expired = Client::signed_in(&issuer, "alice", &mut key).await;
    issuer.clock.advance(Duration::from_secs(8 * 3600));
    let mut right = Client::new(&issuer);
    right.sign_in(&mut key).await;
    let foreign =
        Client { issuer: &issuer, ..Client::signed_in(&elsewhere, "alice", &mut SecurityKey::unattested()).await };
    let with_another_key = || Client { token: right.token.clone(), key: ProofKey::generate(), ..Client::new(&issuer) };
    let wrong_proof = Client { proof_changes: json!({"htm": "PUT"}), ..with_another_key() };
    let no_nonce = Client { proof_changes: json!({"nonce": null}), ..with_another_key() };
    let cases = [
        ("expired", expired, "invalid_token"),
        ("foreign", foreign, "invalid_token"),
        ("stolen", with_another_key(), "invalid_dpop_proof"),
        ("wrong proof", wrong_proof, "invalid_dpop_proof"),
        ("no nonce", no_nonce, "use_dpop_nonce"),
    ];
    let before = issuer.stored("alice").await.version;
    let changes = issuer.issuer.store.changes();
    for route in routes().iter().filter(|route| route.access == Access::Session) {
        for (what, client, code) in &cases {
            let refused = call(client, route).await;
            assert_eq!((refused.status, refused.error()), (StatusCode::UNAUTHORIZED, *code), "{what} {route:?}");
            assert!(refused.headers.contains_key("dpop-nonce"), "{what} {route:?}");
            assert!(refused.headers.contains_key("www-authenticate"), "{what} {route:?}");
        }
    }
    assert!(!changes.has_changed().unwrap(), "a refused request wrote something");
    assert_eq!(issuer.stored("alice").await.version, before);
}

#[tokio::test]
async fn a_right_session_and_proof_get_past_the_door_everywhere() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    for route in routes().iter().filter(|route| route.access == Access::Session) {
        if route.path.ends_with("/watch") || route.method == Method::DELETE {
            continue;
        }
        let answer = call(&client, route).await;
        let code = answer.body["error"].as_str().unwrap_or_default();
        assert!(!["invalid_token", "invalid_dpop_proof", "use_dpop_nonce"].contains(&code), "{route:?}: {answer:?}");
    }
}
