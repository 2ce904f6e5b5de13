//! An issuer and an STS behind one TLS listener. They check what the contract makes them check, keep count, and can be
//! told to fail.

// An answer is an answer, whatever its size.
#![allow(clippy::result_large_err)]

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::watch};
use vouch_issuer_api::{
    aws::{AwsRolesQuery, AwsTokenRequest},
    enroll::EnrollChallengeRequest,
    error::{ErrorBody, ErrorCode},
    paths,
    session::WatchQuery,
};

pub const DEV: &str = "arn:aws:iam::111111111111:role/vouch/VouchAccess";
pub const PROD: &str = "arn:aws:iam::222222222222:role/vouch/VouchDeploy";
pub const HUB: &str = "arn:aws:iam::999999999999:role/vouch/VouchAccess";
pub const DIRECT: &str = "arn:aws:iam::999999999999:role/VouchDeveloper";

/// Why [`PROD`] is refused.
pub const NOT_DECLARED: &str =
    "role vouch/VouchDeploy in account 222222222222 is not declared by AwsFederation vouch/acme";

const NONCE: &str = "nonce-1";
const TOKEN: &str = "session-token";

/// What was asked so far, and what shall be answered from now on.
#[derive(Default)]
pub struct Facts {
    /// `Action RoleArn DurationSeconds`, in order.
    pub sts: Vec<String>,
    /// Assertions for roles.
    pub tokens: usize,
    /// Proofs at the token endpoint, with and without nonce.
    pub logins: usize,
    /// Requests to watch the session.
    pub watches: usize,
    /// How long sessions last, in seconds; 0: eight hours.
    pub lifetime: i64,
    /// The issuer's clock minus this machine's, in seconds.
    pub clock_ahead: i64,
    /// Every answer of the issuer is that of a broken proxy.
    pub issuer_is_down: bool,
    /// Requests for the discovery document.
    pub discoveries: usize,
    /// Invite codes, in order; none is good.
    pub codes: Vec<String>,
    /// The name in the discovery document, when it is not the right one.
    pub calls_itself: Option<&'static str>,
    /// The type of session tokens, when it is not the right one.
    pub token_type: Option<&'static str>,
    /// Code and text with which STS refuses an action.
    pub sts_refuses: Option<(&'static str, &'static str, &'static str)>,
}

#[derive(Clone)]
struct Shared {
    url: String,
    facts: Arc<Mutex<Facts>>,
    ended: Arc<watch::Sender<bool>>,
}

/// The servers; they stop when it is dropped.
pub struct World {
    pub url: String,
    pub certificate: String,
    shared: Shared,
    _runtime: Runtime,
}

impl World {
    pub fn start() -> Self {
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let shared = Shared { url: url.clone(), facts: Arc::default(), ended: Arc::new(watch::Sender::new(false)) };
        let runtime = Runtime::new().unwrap();
        let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![key.cert.der().clone()],
                rustls_pki_types::PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()).into(),
            )
            .unwrap();
        let tls = axum_server::tls_rustls::RustlsConfig::from_config(Arc::new(config));
        let routes = routes(shared.clone());
        runtime.spawn(async move {
            axum_server::from_tcp_rustls(listener, tls).unwrap().serve(routes.into_make_service()).await.unwrap();
        });
        Self { url, certificate: key.cert.pem(), shared, _runtime: runtime }
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut Facts) -> T) -> T {
        look(&mut self.shared.facts.lock().unwrap())
    }

    /// Ends the session, as "log out everywhere" on another machine does.
    pub fn end_sessions(&self) {
        self.shared.ended.send_replace(true);
    }
}

fn routes(shared: Shared) -> Router {
    Router::new()
        .route(paths::DISCOVERY, get(discovery))
        .route(paths::JWKS, get(|| async { Json(json!({"keys": [{"kid": "a"}, {"kid": "b"}]})) }))
        .route(paths::ENROLL_CHALLENGE, post(enroll_challenge))
        .route(paths::FIDO2_CHALLENGE, post(challenge))
        .route(paths::TOKEN, post(token))
        .route(paths::SESSION_WATCH, get(watch_session))
        .route(paths::SESSION, axum::routing::delete(end_session))
        .route(paths::AWS_TOKEN, post(aws_token))
        .route(paths::AWS_ROLES, get(aws_roles))
        .route("/sts/", post(sts))
        .layer(axum::middleware::from_fn_with_state(shared.clone(), weather))
        .with_state(shared)
}

/// The issuer's clock and its bad days.
async fn weather(
    State(shared): State<Shared>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let (down, ahead) = {
        let facts = shared.facts.lock().unwrap();
        (facts.issuer_is_down && !request.uri().path().starts_with("/sts"), facts.clock_ahead)
    };
    if down {
        return (StatusCode::BAD_GATEWAY, "<html>Bad Gateway</html>").into_response();
    }
    let mut response = next.run(request).await;
    let now = Timestamp::now() + SignedDuration::from_secs(ahead);
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    response.headers_mut().insert(header::DATE, date.parse().unwrap());
    response
}

fn refuse(status: StatusCode, code: ErrorCode, description: &str) -> Response {
    let body = ErrorBody {
        error: code,
        error_description: description.to_owned(),
        hint: None,
        request_id: Some("request-1".to_owned()),
    };
    (status, [("dpop-nonce", NONCE)], Json(body)).into_response()
}

/// The claims of the request's proof, when it is one for this request and has our nonce.
fn proof(shared: &Shared, headers: &HeaderMap, method: &str, path: &str) -> Result<Value, Response> {
    let bad = |why: &str| refuse(StatusCode::UNAUTHORIZED, ErrorCode::InvalidDpopProof, why);
    let text = headers.get("dpop").and_then(|value| value.to_str().ok()).ok_or_else(|| bad("No proof."))?;
    let claims = text.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Value =
        claims.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| bad("No claims."))?;
    let now = Timestamp::now().as_second() + shared.facts.lock().unwrap().clock_ahead;
    if claims["htm"] != method || claims["htu"] != format!("{}{path}", shared.url) {
        return Err(bad("For another request."));
    }
    if (claims["iat"].as_i64().unwrap_or_default() - now).abs() > 60 {
        return Err(bad("Not now."));
    }
    if claims["nonce"] != NONCE {
        return Err(refuse(StatusCode::UNAUTHORIZED, ErrorCode::UseDpopNonce, "Use the nonce."));
    }
    Ok(claims)
}

fn session(shared: &Shared, headers: &HeaderMap, method: &str, path: &str) -> Result<(), Response> {
    let claims = proof(shared, headers, method, path)?;
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if token != Some(&format!("DPoP {TOKEN}")) || claims["ath"].as_str().is_none() {
        return Err(refuse(StatusCode::UNAUTHORIZED, ErrorCode::InvalidToken, "No such session."));
    }
    if *shared.ended.borrow() {
        return Err(ended());
    }
    Ok(())
}

fn ended() -> Response {
    refuse(StatusCode::UNAUTHORIZED, ErrorCode::SessionEnded, "All your sessions were ended.")
}

async fn enroll_challenge(State(shared): State<Shared>, Json(request): Json<EnrollChallengeRequest>) -> Response {
    shared.facts.lock().unwrap().codes.push(request.code);
    refuse(StatusCode::FORBIDDEN, ErrorCode::InviteUnknown, "There is no such invite.")
}

async fn discovery(State(shared): State<Shared>) -> Json<Value> {
    let mut facts = shared.facts.lock().unwrap();
    facts.discoveries += 1;
    let name = facts.calls_itself.map_or_else(|| shared.url.clone(), str::to_owned);
    Json(json!({"issuer": name, "jwks_uri": format!("{}{}", shared.url, paths::JWKS)}))
}

async fn challenge() -> Json<Value> {
    Json(json!({
        "options": {"publicKey": {"challenge": "AAAA", "rpId": "localhost", "allowCredentials": [], "userVerification": "required"}},
        "state": "sealed",
        "expires_in": 60,
    }))
}

fn info(lifetime: i64, ahead: i64) -> Value {
    let now = Timestamp::now() + SignedDuration::from_secs(ahead);
    let lifetime = if lifetime == 0 { 28_800 } else { lifetime };
    json!({
        "user_id": "00000000-0000-0000-0000-000000000001",
        "email": "alice@example.com",
        "organization": "Example",
        "signed_in_at": now,
        "expires_at": now + SignedDuration::from_secs(lifetime),
        "key_id": "00112233445fa41f",
        "key_name": "YubiKey 5C NFC",
    })
}

async fn token(State(shared): State<Shared>, headers: HeaderMap, Form(form): Form<Vec<(String, String)>>) -> Response {
    let (lifetime, ahead, token_type) = {
        let mut facts = shared.facts.lock().unwrap();
        facts.logins += 1;
        (facts.lifetime, facts.clock_ahead, facts.token_type.unwrap_or("DPoP"))
    };
    if let Err(refusal) = proof(&shared, &headers, "POST", paths::TOKEN) {
        return refusal;
    }
    if !form.contains(&("state".to_owned(), "sealed".to_owned())) {
        return refuse(StatusCode::BAD_REQUEST, ErrorCode::InvalidGrant, "The challenge is too old.");
    }
    shared.ended.send_replace(false);
    let answer =
        json!({"access_token": TOKEN, "token_type": token_type, "expires_in": 1, "session": info(lifetime, ahead)});
    Json(answer).into_response()
}

async fn watch_session(State(shared): State<Shared>, headers: HeaderMap, Query(query): Query<WatchQuery>) -> Response {
    shared.facts.lock().unwrap().watches += 1;
    if let Err(refusal) = session(&shared, &headers, "GET", paths::SESSION_WATCH) {
        return refusal;
    }
    let mut over = shared.ended.subscribe();
    let patience = Duration::from_secs(query.timeout.into());
    let over = tokio::time::timeout(patience, over.wait_for(|over| *over)).await.is_ok();
    if over { ended() } else { Json(info(0, 0)).into_response() }
}

async fn end_session(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if let Err(refusal) = session(&shared, &headers, "DELETE", paths::SESSION) {
        return refusal;
    }
    shared.ended.send_replace(true);
    StatusCode::NO_CONTENT.into_response()
}

async fn aws_token(State(shared): State<Shared>, headers: HeaderMap, Json(request): Json<AwsTokenRequest>) -> Response {
    if let Err(refusal) = session(&shared, &headers, "POST", paths::AWS_TOKEN) {
        return refusal;
    }
    shared.facts.lock().unwrap().tokens += 1;
    let role = request.role.to_string();
    if role == PROD {
        let why = "alice@example.com may not use role vouch/VouchDeploy in account 222222222222 (AwsFederation vouch/acme allows bob@example.com)";
        return refuse(StatusCode::FORBIDDEN, ErrorCode::RoleNotAllowed, why);
    }
    let chain = if role == DEV { vec![HUB.to_owned(), role] } else { vec![role] };
    let expires_at = Timestamp::now() + SignedDuration::from_mins(1);
    let session_name = "alice@example.com";
    Json(json!({"web_identity_token": "the.id.token", "expires_at": expires_at, "chain": chain, "session_name": session_name}))
        .into_response()
}

async fn aws_roles(State(shared): State<Shared>, headers: HeaderMap, Query(query): Query<AwsRolesQuery>) -> Response {
    if let Err(refusal) = session(&shared, &headers, "GET", paths::AWS_ROLES) {
        return refusal;
    }
    let role = json!({"role": DEV, "federation": "vouch/acme", "via": HUB, "max_session_seconds": 3600});
    let is_refused = query.role.is_some_and(|role| role.to_string() == PROD);
    Json(json!({"roles": [role], "refusal": is_refused.then_some(NOT_DECLARED)})).into_response()
}

async fn sts(State(shared): State<Shared>, headers: HeaderMap, Form(form): Form<Vec<(String, String)>>) -> Response {
    let field =
        |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default();
    let action = field("Action");
    let number = {
        let mut facts = shared.facts.lock().unwrap();
        facts.sts.push(format!("{action} {} {}", field("RoleArn"), field("DurationSeconds")));
        facts.sts.len()
    };
    let refused = shared.facts.lock().unwrap().sts_refuses.filter(|(refused, ..)| *refused == action);
    let signed = headers.contains_key(header::AUTHORIZATION);
    let refused = match (action.as_str(), refused) {
        (_, Some((_, code, message))) => Some((code, message)),
        ("AssumeRoleWithWebIdentity", None) if signed || field("WebIdentityToken") != "the.id.token" => {
            Some(("InvalidIdentityToken", "The web identity token provided could not be validated."))
        }
        ("AssumeRole", None)
            if !signed || form.iter().any(|(key, _)| key.starts_with("Tags") || key == "SourceIdentity") =>
        {
            Some(("AccessDenied", "inherited tags or source identity passed again"))
        }
        _ => None,
    };
    if let Some((code, message)) = refused {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>aws-1</RequestId></ErrorResponse>"
        );
        let headers = [(header::CONTENT_TYPE.as_str(), "text/xml"), ("x-amzn-requestid", "aws-1")];
        return (StatusCode::FORBIDDEN, headers, body).into_response();
    }
    let expiration = (Timestamp::now() + SignedDuration::from_hours(1)).strftime("%Y-%m-%dT%H:%M:%SZ");
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
         <AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>wJalrXUtnFEMI</SecretAccessKey><SessionToken>token</SessionToken>\
         <Expiration>{expiration}</Expiration></Credentials></{action}Result></{action}Response>"
    );
    ([(header::CONTENT_TYPE, "text/xml")], body).into_response()
}
