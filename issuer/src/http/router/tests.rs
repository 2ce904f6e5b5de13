#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{net::SocketAddr, time::Duration};

use axum::{body::Body, extract::ConnectInfo};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use vouch_iam::arn::Partition;
use vouch_issuer_api::oauth::FIDO2_GRANT;

use super::*;
use crate::{
    clock::Clock as _,
    config::federation::{Allow, DirectRole, Federation},
    identity::{
        dpop::{NONCE_LIFETIME, fresh_nonce},
        session::SessionClaims,
    },
    testing::{
        authenticator::{ISSUER, SecurityKey},
        client::Client,
        dpop::ProofKey,
        issuer::TestIssuer,
    },
};

/// Every public route with what it asks of its caller. A route without a row here fails the tests.
const EXPECTED: [(Method, &str, Access); 16] = [
    (Method::GET, "/.well-known/openid-configuration", Access::Document),
    (Method::GET, "/.well-known/jwks.json", Access::Document),
    (Method::POST, "/oauth/fido2/challenge", Access::Open),
    (Method::POST, "/oauth/token", Access::Proof),
    (Method::POST, "/v1/enroll/challenge", Access::Open),
    (Method::POST, "/v1/enroll", Access::Open),
    (Method::POST, "/v1/keys/challenge", Access::Session),
    (Method::GET, "/v1/keys", Access::Session),
    (Method::POST, "/v1/keys", Access::Session),
    (Method::PATCH, "/v1/keys/{id}", Access::Session),
    (Method::POST, "/v1/keys/{id}/removal", Access::Session),
    (Method::GET, "/v1/session", Access::Session),
    (Method::DELETE, "/v1/session", Access::Session),
    (Method::GET, "/v1/session/watch", Access::Session),
    (Method::POST, "/v1/aws/token", Access::Session),
    (Method::GET, "/v1/aws/roles", Access::Session),
];

/// What routes that need no session answer to whoever has none: status and code, and what is asked.
const WITHOUT_A_SESSION: [(&str, &str, (u16, &str)); 6] = [
    (paths::DISCOVERY, "", (200, "")),
    (paths::JWKS, "", (200, "")),
    (paths::FIDO2_CHALLENGE, "", (200, "")),
    // Its proof is right; a session needs a form with an assertion.
    (paths::TOKEN, "{}", (400, "invalid_request")),
    (paths::ENROLL_CHALLENGE, r#"{"code": "0000-0000-0000"}"#, (404, "invite_unknown")),
    (paths::ENROLL, "{}", (400, "invalid_request")),
];

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["error"].as_str().unwrap_or_default())
    }
}

async fn send(issuer: &TestIssuer, method: &Method, path: &str, headers: HeaderMap, body: &str) -> Answer {
    let mut request = Request::builder().method(method.clone()).uri(path);
    *request.headers_mut().unwrap() = headers;
    let mut request =
        request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_owned())).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4711))));
    let response = public(SharedIssuer::clone(&issuer.issuer)).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    Answer { status: parts.status, headers: parts.headers, body }
}

async fn call(client: &Client<'_>, method: &Method, path: &str, body: &Value) -> Answer {
    send(client.issuer, method, path, client.headers(method, path), &body.to_string()).await
}

fn filled(path: &str) -> String {
    path.replace("{id}", "0123456789abcdef")
}

#[test]
fn the_table_is_complete() {
    let mut known: Vec<_> = routes().into_iter().map(|route| (route.method, route.path, route.access)).collect();
    let mut expected = EXPECTED.to_vec();
    let order = |(method, path, _): &(Method, &'static str, Access)| (*path, method.to_string());
    known.sort_by_key(order);
    expected.sort_by_key(order);
    assert_eq!(known, expected, "a route was added, removed or opened without a row");
}

/// How a caller gets it wrong, and what is answered to that.
async fn wrong_callers<'a>(
    issuer: &'a TestIssuer,
    other: &'a TestIssuer,
) -> Vec<(&'static str, Client<'a>, &'static str)> {
    let (mut key, mut others_key) = (SecurityKey::unattested(), SecurityKey::unattested());
    let good = Client::signed_in(issuer, "alice", &mut key).await;
    let with = |token: Option<String>, key: ProofKey| Client { issuer, key, token, proof_changes: json!({}) };

    let nobody = with(None, ProofKey::generate());
    let garbage = with(Some("eyJhbGciOiJub25lIn0.e30.".to_owned()), ProofKey::generate());
    let foreigner = Client::signed_in(other, "alice", &mut others_key).await;
    let foreign = with(foreigner.token.clone(), foreigner.key);
    let key_of_a_thief = with(good.token.clone(), ProofKey::generate());

    let expired_key = ProofKey::generate();
    let user = issuer.user("alice").await;
    let long_ago = issuer.clock.now() - Duration::from_secs(9 * 3600);
    let claims = SessionClaims::begin(
        user.id,
        &user.keys[0].id,
        expired_key.thumbprint(),
        long_ago,
        Duration::from_secs(8 * 3600),
    );
    let signer = issuer.issuer.keys.signer().unwrap();
    let url = issuer.issuer.config.load().url.to_string();
    let expired = with(Some(claims.sign(&signer, &url).unwrap()), expired_key);

    let role = json!({"role": "arn:aws:iam::111111111111:role/vouch/VouchAccess"});
    let minted = call(&good, &Method::POST, paths::AWS_TOKEN, &role).await;
    let assertion = with(Some(minted.body["web_identity_token"].as_str().unwrap().to_owned()), good.key);
    vec![
        ("no token", nobody, "invalid_token"),
        ("no token at all", garbage, "invalid_token"),
        ("a foreign token", foreign, "invalid_token"),
        ("an expired token", expired, "invalid_token"),
        ("an assertion for AWS", assertion, "invalid_token"),
        ("a stolen token", key_of_a_thief, "invalid_dpop_proof"),
    ]
}

#[tokio::test]
async fn every_route_that_needs_a_session_refuses_whoever_has_none() {
    let (issuer, other) = (TestIssuer::new().await, TestIssuer::new().await);
    let callers = wrong_callers(&issuer, &other).await;
    let before = issuer.stored("alice").await.version;
    for (method, path, access) in EXPECTED {
        for (who, client, code) in &callers {
            let row = WITHOUT_A_SESSION.iter().find(|(open, ..)| *open == path);
            assert_eq!(row.is_none(), access == Access::Session, "{method} {path}");
            let (body, refusal) = row.map_or(("{}", (401, *code)), |(_, body, answer)| (*body, *answer));
            let headers = client.headers(&method, &filled(path));
            let answer = send(client.issuer, &method, &filled(path), headers, body).await;
            assert_eq!(answer.refusal(), refusal, "{method} {path} with {who}: {}", answer.body);
            assert_eq!(answer.headers.contains_key(header::WWW_AUTHENTICATE), access == Access::Session);
            assert_eq!(
                answer.headers.contains_key("dpop-nonce"),
                matches!(access, Access::Session | Access::Proof),
                "{method} {path}"
            );
            if !answer.status.is_success() {
                assert_eq!(answer.headers["x-request-id"], answer.body["request_id"].as_str().unwrap());
            }
        }
    }
    assert_eq!(issuer.stored("alice").await.version, before, "a stranger's request wrote something");
}

#[tokio::test]
async fn every_route_that_needs_a_proof_refuses_a_wrong_one() {
    let issuer = TestIssuer::new().await;
    let mut client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    for (method, path, access) in EXPECTED {
        let status = match access {
            Access::Session => 401,
            Access::Proof => 400,
            Access::Open | Access::Document => continue,
        };
        let path = filled(path);
        for (wrong, code) in [
            (json!({"htu": "https://other.example.com/"}), "invalid_dpop_proof"),
            (json!({"htm": "PUT"}), "invalid_dpop_proof"),
            (json!({"nonce": null}), "use_dpop_nonce"),
        ] {
            client.proof_changes = wrong;
            let answer = call(&client, &method, &path, &json!({})).await;
            assert_eq!(answer.refusal(), (status, code), "{method} {path} {}", client.proof_changes);
        }
        client.proof_changes = json!({});
        let mut headers = client.headers(&method, &path);
        headers.remove("dpop");
        let without = send(&issuer, &method, &path, headers, "{}").await;
        assert_eq!(without.refusal(), (status, "invalid_dpop_proof"), "{method} {path} without a proof");
    }
}

/// Asks for a session with a good assertion and these proofs.
async fn sign_in_with(client: &Client<'_>, key: &mut SecurityKey, proofs: &[&str]) -> Answer {
    let challenge = client.challenge().await;
    let assertion = serde_json::to_string(&key.assert(&challenge.options)).unwrap();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", FIDO2_GRANT);
    form.append_pair("state", &challenge.state).append_pair("assertion", &assertion);
    let mut request = Request::post(paths::TOKEN).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    let answer = client.issuer.call(request.body(Body::from(form.finish())).unwrap()).await;
    Answer { status: answer.status, headers: answer.headers, body: answer.body }
}

#[tokio::test]
async fn no_session_begins_without_a_right_proof_however_good_the_assertion() {
    let issuer = TestIssuer::new().await;
    let mut key = SecurityKey::unattested();
    let mut client = Client::new(&issuer);
    client.enroll("alice", &mut key).await;
    let old_nonce = fresh_nonce(&issuer.issuer.secrets.load(), issuer.clock.now());
    issuer.clock.advance(Duration::try_from(NONCE_LIFETIME).unwrap());

    let used = client.proof(&Method::POST, paths::TOKEN);
    assert_eq!(sign_in_with(&client, &mut key, &[&used]).await.status, StatusCode::OK);
    let mut wrong = |changes| {
        client.proof_changes = changes;
        client.proof(&Method::POST, paths::TOKEN)
    };
    let method = wrong(json!({"htm": "GET"}));
    let url = wrong(json!({"htu": format!("{ISSUER}{}", paths::AWS_TOKEN)}));
    let without_nonce = wrong(json!({"nonce": null}));
    let expired = wrong(json!({"nonce": old_nonce}));
    let (one, another) = (wrong(json!({})), wrong(json!({})));
    for (proofs, code) in [
        (vec![], "invalid_dpop_proof"),
        (vec![one.as_str(), another.as_str()], "invalid_dpop_proof"),
        (vec![method.as_str()], "invalid_dpop_proof"),
        (vec![url.as_str()], "invalid_dpop_proof"),
        (vec![without_nonce.as_str()], "use_dpop_nonce"),
        (vec![expired.as_str()], "use_dpop_nonce"),
        (vec![used.as_str()], "invalid_dpop_proof"),
    ] {
        let answer = sign_in_with(&client, &mut key, &proofs).await;
        assert_eq!(answer.refusal(), (400, code), "{proofs:?}: {}", answer.body);
        assert!(!answer.headers.contains_key(header::WWW_AUTHENTICATE));
        assert!(answer.headers.contains_key("dpop-nonce"));
    }
    assert_eq!(sign_in_with(&client, &mut key, &[&one]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_opens_every_route_that_needs_one() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    // Ending every session comes last.
    let by_order = |(method, ..): &(Method, &str, Access)| *method == Method::DELETE;
    let mut sessions: Vec<_> = EXPECTED.into_iter().filter(|(_, _, access)| *access == Access::Session).collect();
    sessions.sort_by_key(by_order);
    for (method, path, _) in sessions {
        let path = filled(path);
        let mut request = path.clone();
        if path == paths::SESSION_WATCH {
            request.push_str("?timeout=0");
        }
        let headers = client.headers(&method, &path);
        let answer = send(&issuer, &method, &request, headers, "{}").await;
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}: {}", answer.body);
    }
}

fn acme(allow: Allow) -> Federation {
    let role = "arn:aws:iam::999999999999:role/vouch/VouchDeveloper".parse().unwrap();
    Federation {
        name: "vouch/acme".to_owned(),
        partition: Partition::Aws,
        account: "999999999999".parse().unwrap(),
        roles: vec![DirectRole { role, allow, max_session: Duration::from_secs(3600) }],
        hub: None,
    }
}

#[tokio::test]
async fn an_assertion_names_its_role_and_is_on_the_trail_without_being_in_it() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let (hub, spoke) =
        ("arn:aws:iam::999999999999:role/vouch/VouchAccess", "arn:aws:iam::111111111111:role/vouch/VouchAccess");
    let answer = call(&client, &Method::POST, paths::AWS_TOKEN, &json!({"role": spoke, "via": hub})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(answer.body["chain"], json!([hub, spoke]));
    assert_eq!(answer.body["session_name"], "alice@example.com");
    assert_eq!(answer.body["expires_at"], "2026-11-21T09:01:00Z");

    let token = answer.body["web_identity_token"].as_str().unwrap();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let jwks = send(&issuer, &Method::GET, paths::JWKS, HeaderMap::new(), "").await.body;
    assert!(jwks["keys"].as_array().unwrap().iter().any(|key| key["kid"] == kid));

    let line = issuer.trail().pop().unwrap();
    for (member, value) in [
        ("action", json!("minted")),
        ("email", json!("alice@example.com")),
        ("role", json!(spoke)),
        ("aud", json!("https://vouch.example.com")),
        ("kid", json!(kid)),
        ("source", json!("192.0.2.7")),
    ] {
        assert_eq!(line[member], value, "{member}");
    }
    assert!(line["jti"].is_string() && line["key_id"].is_string() && line["request_id"].is_string());
    assert!(!line.to_string().contains(token));
}

#[tokio::test]
async fn a_role_that_does_not_allow_the_person_is_refused_with_the_reason_and_on_the_trail() {
    let allow = Allow { emails: ["bob@example.com".parse().unwrap()].into(), ..Allow::default() };
    let issuer = TestIssuer::configured(|config| config.federations = vec![acme(allow)]).await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let role = "arn:aws:iam::999999999999:role/vouch/VouchDeveloper";
    let answer = call(&client, &Method::POST, paths::AWS_TOKEN, &json!({"role": role})).await;
    assert_eq!(answer.refusal(), (403, "role_not_allowed"));
    assert_eq!(
        answer.body["error_description"],
        "alice@example.com may not use role vouch/VouchDeveloper in account 999999999999 (AwsFederation vouch/acme \
         allows bob@example.com)."
    );
    assert!(answer.body["hint"].as_str().unwrap().contains("vouch aws roles"));
    let line = issuer.trail().pop().unwrap();
    assert_eq!(
        (&line["action"], &line["refused"], &line["role"]),
        (&json!("minted"), &json!("role_not_allowed"), &json!(role))
    );
    assert!(line["jti"].is_null() && line["kid"].is_null());
    let roles = call(&client, &Method::GET, paths::AWS_ROLES, &json!({})).await;
    assert_eq!(roles.body["roles"], json!([]));
    let asked = format!("{}?role={role}", paths::AWS_ROLES);
    let refused = call(&client, &Method::GET, &asked, &json!({})).await;
    let why = format!("{}.", refused.body["refusal"].as_str().unwrap());
    assert_eq!(why, answer.body["error_description"], "asked beforehand, the issuer says the same");
    let elsewhere = format!("{}?role=arn:aws:iam::888888888888:role/Own", paths::AWS_ROLES);
    assert!(call(&client, &Method::GET, &elsewhere, &json!({})).await.body["refusal"].is_null());
}

#[tokio::test]
async fn a_reload_that_takes_a_role_away_is_in_force_at_the_next_request() {
    let everybody = Allow { domains: ["example.com".parse().unwrap()].into(), ..Allow::default() };
    let issuer = TestIssuer::configured(|config| config.federations = vec![acme(everybody)]).await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let role = json!({"role": "arn:aws:iam::999999999999:role/vouch/VouchDeveloper"});
    assert_eq!(call(&client, &Method::POST, paths::AWS_TOKEN, &role).await.status, StatusCode::OK);
    let roles = call(&client, &Method::GET, paths::AWS_ROLES, &json!({})).await;
    assert_eq!(roles.body["roles"][0]["role"], role["role"]);

    let mut config = issuer.issuer.config.load().as_ref().clone();
    config.federations = vec![acme(Allow::default())];
    issuer.issuer.configure(config);
    assert_eq!(call(&client, &Method::POST, paths::AWS_TOKEN, &role).await.refusal(), (403, "role_not_allowed"));
}

#[tokio::test]
async fn a_disabled_person_gets_no_assertion() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    issuer.change("alice", |user| user.disabled = true).await;
    let role = json!({"role": "arn:aws:iam::111111111111:role/vouch/VouchAccess"});
    assert_eq!(call(&client, &Method::POST, paths::AWS_TOKEN, &role).await.refusal(), (401, "session_ended"));
}

#[tokio::test]
async fn a_malformed_role_is_named() {
    let issuer = TestIssuer::new().await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let answer = call(&client, &Method::POST, paths::AWS_TOKEN, &json!({"role": "VouchAccess"})).await;
    assert_eq!(answer.refusal(), (400, "invalid_request"));
    assert!(
        answer.body["error_description"].as_str().unwrap().contains("`VouchAccess` is not a role ARN"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn a_person_is_limited_whatever_the_number_of_addresses() {
    let issuer = TestIssuer::configured(|config| {
        config.rate_limits.per_user = crate::config::RateLimit {
            requests_per_minute: std::num::NonZeroU32::MIN,
            burst: std::num::NonZeroU32::new(3).unwrap(),
        };
    })
    .await;
    let client = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    for _ in 0..2 {
        assert_eq!(call(&client, &Method::GET, paths::SESSION, &json!({})).await.status, StatusCode::OK);
    }
    let answer = call(&client, &Method::GET, paths::SESSION, &json!({})).await;
    assert_eq!(answer.refusal(), (429, "rate_limited"));
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
}
