//! What somebody tries who picks the moment, or who speaks through other people's browsers.

use std::{cell::Cell, convert::Infallible, sync::Arc};

use axum::body::Body;
use futures::{future::join_all, stream};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tower::ServiceExt as _;
use vouch_issuer_api::{
    enroll::{KeyInfo, RegistrationChallenge},
    oauth::FIDO2_GRANT,
    paths,
};

use crate::{
    audit::{Action, Event},
    http::{
        private::{READYZ, Standing, private},
        router::{Access, Route, routes},
    },
    testing::{
        authenticator::SecurityKey,
        client::Client,
        issuer::{Answer, TestIssuer},
    },
};

/// What ends a session.
const ENDS: [&str; 4] = ["disabled", "logged out", "key removed", "domain given up"];

/// Ends what Alice has begun with her first key.
async fn end(issuer: &TestIssuer, how: &str) {
    match how {
        "disabled" => issuer.change("alice", |user| user.disabled = true).await,
        "logged out" => {
            issuer.change("alice", |user| user.end_sessions("2027-01-01T00:00:00Z".parse().unwrap())).await;
        }
        "key removed" => issuer.change("alice", |user| drop(user.keys.remove(0))).await,
        "invite withdrawn" => issuer.change("alice", |user| user.invite = None).await,
        "domain given up" => {
            let mut config = issuer.issuer.config.load().as_ref().clone();
            config.organization.email_domains = vec!["other.example.com".parse().unwrap()];
            issuer.issuer.configure(config);
        }
        other => panic!("nothing ends by {other}"),
    }
}

/// Sends the head of a request and, only after `meanwhile`, its body.
async fn call_slowly(
    client: &Client<'_>,
    (method, path): (&Method, &str),
    (kind, body): (&str, String),
    meanwhile: impl Future<Output = ()>,
) -> Answer {
    let (asked, was_asked) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let late = async move {
        // The handler reads the body: the head has been judged.
        asked.send(()).unwrap();
        released.await.unwrap();
        Ok::<_, Infallible>(body)
    };
    let mut request = Request::builder().method(method).uri(path);
    *request.headers_mut().unwrap() = client.headers(method, path);
    let request = request.header("content-type", kind).body(Body::from_stream(stream::once(late))).unwrap();
    let meanwhile = async {
        was_asked.await.unwrap();
        meanwhile.await;
        release.send(()).unwrap();
    };
    tokio::join!(client.issuer.call(request), meanwhile).0
}

/// What a client in good standing would send.
async fn good_body(client: &Client<'_>, path: &str, key: &mut SecurityKey) -> Value {
    match path {
        paths::AWS_TOKEN => json!({"role": "arn:aws:iam::111111111111:role/VouchAccess"}),
        paths::KEYS_CHALLENGE | paths::KEY_REMOVAL => serde_json::to_value(client.tap(key).await).unwrap(),
        paths::KEY => json!({"name": "mine"}),
        paths::KEYS => {
            let offer: RegistrationChallenge = client.ask_for_key(key).await.read();
            json!({"state": offer.state, "credential": SecurityKey::unattested().register(&offer.options)})
        }
        other => panic!("a route with a body was added, and nobody has tried to be slow there: {other}"),
    }
}

#[tokio::test]
async fn a_session_that_ends_while_a_request_is_on_its_way_does_nothing() {
    let takes_a_body = |route: &Route| {
        route.access == Access::Session && [Method::POST, Method::PATCH, Method::PUT].contains(&route.method)
    };
    let routes: Vec<_> = routes().into_iter().filter(takes_a_body).collect();
    assert_eq!(routes.len(), 5);
    for (route, how) in routes.iter().flat_map(|route| ENDS.map(|how| (route, how))) {
        let issuer = TestIssuer::new().await;
        let (mut first, mut spare) = (SecurityKey::unattested(), SecurityKey::unattested());
        let mut client = Client::signed_in(&issuer, "alice", &mut first).await;
        let offer = client.ask_for_key(&mut first).await.read();
        let spare: KeyInfo = client.register(paths::KEYS, &offer, &mut spare).await.read();
        client.sign_in(&mut first).await;
        let body = good_body(&client, route.path, &mut first).await.to_string();
        let path = route.path.replace("{id}", &spare.id);
        let version = Cell::new(None);
        let lines = issuer.trail().len();
        let meanwhile = async {
            end(&issuer, how).await;
            version.set(Some(issuer.stored("alice").await.version));
        };
        let answer = call_slowly(&client, (&route.method, &path), ("application/json", body), meanwhile).await;
        let refusal = (StatusCode::UNAUTHORIZED, "session_ended");
        assert_eq!((answer.status, answer.error()), refusal, "{} {path}, {how}", route.method);
        assert_eq!(Some(issuer.stored("alice").await.version), version.take(), "{} {path}, {how}", route.method);
        assert_eq!(issuer.trail().len(), lines, "{} {path}, {how}", route.method);
    }
}

#[tokio::test]
async fn whoever_loses_the_right_to_sign_in_or_enroll_while_asking_for_it_does_not_get_it() {
    for (how, code) in
        [("disabled", "user_disabled"), ("key removed", "key_unknown"), ("domain given up", "user_disabled")]
    {
        let issuer = TestIssuer::new().await;
        let mut key = SecurityKey::unattested();
        let client = Client::new(&issuer);
        client.enroll("alice", &mut key).await;
        let challenge = client.challenge().await;
        let assertion = serde_json::to_string(&key.assert(&challenge.options)).unwrap();
        let form = [("grant_type", FIDO2_GRANT), ("state", &challenge.state), ("assertion", &assertion)];
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let body = ("application/x-www-form-urlencoded", form);
        let answer = call_slowly(&client, (&Method::POST, paths::TOKEN), body, end(&issuer, how)).await;
        assert_eq!(answer.error(), code, "{how}");
    }
    for (how, code) in
        [("disabled", "user_disabled"), ("invite withdrawn", "invite_unknown"), ("domain given up", "user_disabled")]
    {
        let issuer = TestIssuer::new().await;
        let client = Client::new(&issuer);
        let code_of_invite = issuer.invite("alice").await;
        let offer = client.offer(&code_of_invite).await;
        let credential = SecurityKey::unattested().register(&offer.options);
        for (path, body) in [
            (paths::ENROLL_CHALLENGE, json!({"code": code_of_invite})),
            (paths::ENROLL, json!({"state": offer.state, "credential": credential})),
        ] {
            let body = ("application/json", body.to_string());
            let before = issuer.stored("alice").await;
            let config = issuer.issuer.config.load().as_ref().clone();
            let answer = call_slowly(&client, (&Method::POST, path), body, end(&issuer, how)).await;
            assert_eq!(answer.error(), code, "{path}, {how}");
            issuer.change("alice", |user| *user = before.user).await;
            issuer.issuer.configure(config);
        }
        assert!(issuer.user("alice").await.keys.is_empty(), "{how}");
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
async fn nothing_is_granted_off_the_record_and_every_right_can_be_taken_away() {
    let (reader, writer) = std::io::pipe().unwrap();
    let issuer = TestIssuer::with_trail(Box::new(writer)).await;
    let mut key = SecurityKey::unattested();
    let mut client = Client::signed_in(&issuer, "alice", &mut key).await;
    // Nobody reads any more: the pipe fills, then the queue.
    while let Ok(room) = issuer.issuer.audit.room_for(Action::Login).await {
        issuer.issuer.audit.record_in(room, issuer.issuer.clock.now(), &Event::new(Action::SigningKey));
    }
    let role = json!({"role": "arn:aws:iam::111111111111:role/VouchAccess"});
    let refusals = [client.post(paths::AWS_TOKEN, &role).await, client.ask_for_key(&mut key).await];
    for refusal in refusals {
        assert_eq!((refusal.status, refusal.error()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    }
    let ready = private(Arc::new(Standing::running(Arc::clone(&issuer.issuer))));
    let request = Request::get(READYZ).body(Body::empty()).unwrap();
    assert_eq!(ready.oneshot(request).await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    let ended = client.call(Method::DELETE, paths::SESSION, Value::Null).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    let used = issuer.user("alice").await.used_challenges;
    assert_eq!(client.try_sign_in(&mut key).await.error(), "unavailable");
    assert_eq!(issuer.user("alice").await.used_challenges, used, "an assertion was consumed for nothing");
    let read = std::thread::spawn(move || std::io::read_to_string(reader).unwrap());
    issuer.issuer.audit.written().await.unwrap();
    client.sign_in(&mut key).await;
    drop(client);
    drop(issuer);
    assert!(read.join().unwrap().ends_with('\n'));
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
