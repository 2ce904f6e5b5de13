//! The running program: what it answers, whom it slows down, and how it stops.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use reqwest::header;
use rustix::process::Signal;
use serde_json::Value;
use support::{MANIFEST, Running, Sandbox, client, refused, succeeded, until};

#[tokio::test]
async fn discovery_and_keys_are_answered_with_tags_and_a_short_life() {
    let issuer = Sandbox::initialised();
    let issuer = issuer.start();
    for path in ["/.well-known/openid-configuration", "/.well-known/jwks.json"] {
        let answer = issuer.get(path).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "public, max-age=60");
        let tag = answer.headers()[header::ETAG].clone();
        let body = answer.bytes().await.unwrap();

        let known = client().get(issuer.url(path)).header(header::IF_NONE_MATCH, &tag).send().await.unwrap();
        assert_eq!((known.status().as_u16(), &known.headers()[header::ETAG]), (304, &tag));
        assert!(known.bytes().await.unwrap().is_empty());

        let head = client().head(issuer.url(path)).send().await.unwrap();
        assert_eq!(head.status(), 200);
        assert_eq!(head.headers()[header::CONTENT_LENGTH], body.len().to_string());
    }
    let discovery: Value = issuer.get("/.well-known/openid-configuration").await.json().await.unwrap();
    assert_eq!(discovery["issuer"], "https://vouch.example.com");
    assert_eq!(discovery["jwks_uri"], "https://vouch.example.com/.well-known/jwks.json");
    let jwks: Value = issuer.get("/.well-known/jwks.json").await.json().await.unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "the next key is published, too");
    assert!(keys.iter().all(|key| key["d"].is_null() && key["key_ops"].is_null() && key["x5c"].is_null()));
}

#[tokio::test]
async fn an_issuer_with_a_path_answers_under_that_path() {
    let manifest = MANIFEST.replace("vouch.example.com", "id.example.com/team");
    let sandbox = Sandbox::initialised_with(&manifest);
    let issuer = sandbox.start();
    let discovery: Value = issuer.get("/team/.well-known/openid-configuration").await.json().await.unwrap();
    assert_eq!(discovery["jwks_uri"], "https://id.example.com/team/.well-known/jwks.json");
    assert_eq!(issuer.get("/.well-known/jwks.json").await.status(), 404);
    assert!(
        issuer.metrics().await.contains("route=\"/.well-known/openid-configuration\",method=\"GET\",status=\"200\"")
    );
}

#[tokio::test]
async fn every_refusal_is_json_with_a_request_id_and_nothing_to_sniff() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    let wrong_method = client().delete(issuer.url("/.well-known/jwks.json")).send().await.unwrap();
    assert_eq!(wrong_method.headers()[header::ALLOW], "GET,HEAD");
    let not_json = client().post(issuer.url("/v1/enroll/challenge")).body("{").send().await.unwrap();
    let too_large = client().post(issuer.url("/v1/enroll/challenge")).header(header::CONTENT_TYPE, "application/json");
    let too_large = too_large.body("x".repeat(100_000)).send().await.unwrap();
    for (answer, status) in
        [(issuer.get("/nothing").await, 404), (wrong_method, 405), (not_json, 400), (too_large, 400)]
    {
        assert_eq!(answer.status(), status, "{answer:?}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["request_id"], id);
        assert!(!body["error_description"].as_str().unwrap().is_empty());
    }
    let metrics = issuer.metrics().await;
    assert!(metrics.contains("vouch_issuer_refusals_total{code=\"not_found\"} 1"), "{metrics}");
    assert!(!metrics.contains("/nothing"), "a client's path became a label");
}

#[tokio::test]
async fn the_private_listener_and_the_public_one_have_nothing_in_common() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(issuer.get(path).await.status(), 404, "{path} is public");
        let private = client().get(issuer.private_url(path)).send().await.unwrap();
        assert_eq!(private.status(), 200, "{path}");
    }
    let keys = client().get(issuer.private_url("/.well-known/jwks.json")).send().await.unwrap();
    assert_eq!(keys.status(), 404);
    let metrics = issuer.metrics().await;
    for line in [
        "vouch_issuer_signing_keys{state=\"active\"} 1",
        "vouch_issuer_signing_keys{state=\"next\"} 1",
        "vouch_issuer_key_store_up 1",
        "vouch_issuer_build_info{version=\"",
        "vouch_issuer_store_duration_seconds_count{operation=\"health\"}",
    ] {
        assert!(metrics.contains(line), "{line} is missing:\n{metrics}");
    }
}

/// A request whose body is still on its way.
fn half_a_request(issuer: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(issuer.public).unwrap();
    let head = "POST /v1/enroll/challenge HTTP/1.1\r\nhost: vouch.example.com\r\ncontent-type: application/json\r\n\
                content-length: 25\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // "100 Continue" says that a handler reads the body: the request is in flight.
    let mut line = [0; 12];
    stream.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"HTTP/1.1 100");
    stream
}

#[tokio::test]
async fn draining_turns_readiness_first_refuses_new_connections_and_finishes_what_has_begun() {
    let sandbox = Sandbox::initialised();
    let mut issuer = sandbox.start();
    let mut stream = half_a_request(&issuer);
    issuer.signal(Signal::TERM);
    let (code, body) = issuer.becomes("not_ready").await;
    assert_eq!((code, &body["lifecycle"]), (503, &"draining".into()));
    until("new connections to be refused", || TcpStream::connect(issuer.public).is_err().then_some(()));

    stream.write_all(b"{\"code\":\"0000-0000-0000\"}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"request_id\""), "{answer}");
    assert!(issuer.ended(), "{}", issuer.log());
    assert!(issuer.log().contains("stopped"));
}

#[tokio::test]
async fn draining_waits_no_longer_than_it_is_allowed_to() {
    let sandbox = Sandbox::initialised();
    let mut issuer = sandbox.start_with(&["--drain-timeout", "1s"]);
    let _stream = half_a_request(&issuer);
    issuer.signal(Signal::INT);
    assert!(issuer.ended());
}

#[tokio::test]
async fn readiness_turns_before_connections_are_refused() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start_with(&["--drain-delay", "60s"]);
    issuer.signal(Signal::TERM);
    issuer.becomes("not_ready").await;
    assert_eq!(issuer.get("/.well-known/jwks.json").await.status(), 200, "load balancers have not noticed yet");
}

#[test]
fn an_issuer_ends_when_its_delay_is_over_and_not_before() {
    let sandbox = Sandbox::initialised();
    let mut issuer = sandbox.start_with(&["--drain-delay", "1s"]);
    let told = Instant::now();
    issuer.signal(Signal::TERM);
    assert!(issuer.ended());
    assert!(told.elapsed() >= Duration::from_secs(1), "{:?}", told.elapsed());
}

#[tokio::test]
async fn beyond_the_limit_a_client_is_told_how_long_to_wait_and_still_gets_the_keys() {
    let limits =
        "  rateLimits: {perClient: {requestsPerMinute: 1, burst: 3}, perUser: {requestsPerMinute: 1, burst: 3}}\n";
    let sandbox = Sandbox::initialised_with(&format!("{MANIFEST}{limits}"));
    let issuer = sandbox.start();
    for _ in 0..3 {
        assert_eq!(issuer.get("/v1/session").await.status(), 401);
    }
    let refusal = issuer.get("/v1/session").await;
    assert_eq!(refusal.status(), 429);
    let seconds: u64 = refusal.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(refusal.json::<Value>().await.unwrap()["error"], "rate_limited");
    for _ in 0..10 {
        assert_eq!(issuer.get("/.well-known/jwks.json").await.status(), 200);
    }
}

#[tokio::test]
async fn only_a_trusted_proxy_says_where_a_request_comes_from() {
    let limits =
        "  rateLimits: {perClient: {requestsPerMinute: 1, burst: 1}, perUser: {requestsPerMinute: 1, burst: 1}}\n";
    let proxied = "  http: {trustedProxies: [127.0.0.0/8]}\n";
    for (http, second) in [("", 429), (proxied, 401)] {
        let sandbox = Sandbox::initialised_with(&format!("{MANIFEST}{limits}{http}"));
        let issuer = sandbox.start();
        for (client_address, status) in [("198.51.100.1", 401), ("198.51.100.2", second)] {
            let request = client().get(issuer.url("/v1/session")).header("x-forwarded-for", client_address);
            assert_eq!(request.send().await.unwrap().status(), status, "{http}{client_address}");
        }
    }
}

#[test]
fn an_address_in_use_is_named() {
    let sandbox = Sandbox::initialised();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(refused(&sandbox.run(&["serve", "--listen", &address])).contains(&format!("cannot listen on {address}")));
}

/// Its own memory: the pages of the program file are shared, and many more in a debug build than in a release.
#[test]
fn an_idle_issuer_needs_less_than_eight_mebibytes_of_its_own() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    let kib = issuer.anonymous_kib();
    assert!(kib <= 8 * 1024, "{kib} KiB");
}

#[test]
fn the_reference_is_printed() {
    let sandbox = Sandbox::new();
    assert!(succeeded(&sandbox.run(&["reference"])).starts_with("# vouch-issuer\n"));
}
