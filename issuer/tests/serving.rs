//! The running program: what it answers, and what it does when its files change under it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use reqwest::header;
use rustix::process::Signal;
use serde_json::Value;
use support::{MANIFEST, Running, Sandbox, client, client_trusting, refused, succeeded, until};

fn execute(database: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.execute_batch(sql).unwrap();
}

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

#[test]
fn refuses_to_start_without_a_database_and_makes_none() {
    let sandbox = Sandbox::new();
    assert!(refused(&sandbox.run(&["serve"])).contains("vouch-issuer init"));
    assert!(!sandbox.database().exists());
}

#[test]
fn refuses_to_start_without_good_keys_and_never_makes_new_ones() {
    for (damage, message) in [
        ("DELETE FROM keyring", "make new keys with `vouch-issuer init`"),
        ("UPDATE keyring SET document = x'00ff'", "restore it from a backup"),
        (
            "UPDATE keyring SET document = CAST(replace(CAST(document AS TEXT), 'active', 'next') AS BLOB)",
            "restore it from a backup",
        ),
    ] {
        let sandbox = Sandbox::initialised();
        execute(&sandbox.database(), damage);
        let before = rusqlite::Connection::open(sandbox.database()).unwrap();
        let document = |db: &rusqlite::Connection| {
            db.query_row("SELECT document FROM keyring", [], |row| row.get::<_, Vec<u8>>(0)).ok()
        };
        let damaged = document(&before);
        let output = sandbox.run(&["serve", "--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0"]);
        assert!(refused(&output).contains(message), "{damage}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(document(&before), damaged, "{damage}: the key store was written");
    }
}

#[tokio::test]
async fn a_key_store_damaged_while_running_degrades_readiness_and_goes_on_serving() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    issuer.becomes("ready").await;
    let jwks = issuer.get("/.well-known/jwks.json").await.text().await.unwrap();
    execute(&sandbox.database(), "CREATE TABLE kept AS SELECT * FROM keyring; DELETE FROM keyring");

    let (code, body) = issuer.becomes("degraded").await;
    assert_eq!(code, 200, "taking the last good keys away would make it worse");
    assert!(body["keys"].as_str().unwrap().contains("the last good keys stay in use"));
    assert_eq!(issuer.get("/.well-known/jwks.json").await.text().await.unwrap(), jwks);
    assert!(issuer.metrics().await.contains("vouch_issuer_key_store_up 0"));
    assert!(issuer.log().contains("the last good signing keys stay in use"));

    execute(&sandbox.database(), "INSERT INTO keyring SELECT * FROM kept; DROP TABLE kept");
    issuer.becomes("ready").await;
}

#[tokio::test]
async fn a_database_removed_while_running_stops_logins_and_goes_on_publishing_the_keys() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    let (database, aside) = (sandbox.database(), sandbox.path("aside.db"));
    std::fs::rename(&database, &aside).unwrap();
    let (code, body) = issuer.becomes("not_ready").await;
    assert_eq!(code, 503);
    assert!(body["store"].as_str().unwrap().contains("not available"), "{body}");
    assert_eq!(issuer.get("/.well-known/jwks.json").await.status(), 200);
    assert!(!database.exists(), "a new database was made");
    assert!(refused(&sandbox.run(&["users", "list"])).contains("there is no database"));
    std::fs::rename(&aside, &database).unwrap();
    issuer.becomes("ready").await;
}

#[tokio::test]
async fn a_key_revoked_by_order_is_gone_from_the_running_issuer_within_two_seconds() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    let keys = sandbox.json(&["keys", "show"]);
    let next = keys["keys"][1]["kid"].as_str().unwrap();
    sandbox.json(&["keys", "revoke", next]);
    let ordered = std::time::Instant::now();
    while issuer.get("/.well-known/jwks.json").await.text().await.unwrap().contains(next) {
        assert!(ordered.elapsed() < Duration::from_secs(2), "still published");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let jwks: Value = issuer.get("/.well-known/jwks.json").await.json().await.unwrap();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 2, "another next key is published at once");
}

#[tokio::test]
async fn a_reload_with_mistakes_reports_all_of_them_and_keeps_what_is_in_force() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    sandbox.write(&MANIFEST.replace("name: Example,", "name: '',").replace("[example.com]", "[]"));
    issuer.signal(Signal::HUP);
    let (code, body) = issuer.becomes("degraded").await;
    assert_eq!(code, 200);
    assert!(body["configuration"].as_str().unwrap().contains("the previous configuration stays in force"));
    for field in ["spec.organization.name", "spec.organization.emailDomains"] {
        assert!(issuer.log().contains(field), "{field} is not in the log:\n{}", issuer.log());
    }
    assert_eq!(issuer.get("/.well-known/openid-configuration").await.status(), 200);
    assert!(issuer.metrics().await.contains("vouch_issuer_reload_refused 1"));

    sandbox.write(MANIFEST);
    issuer.signal(Signal::HUP);
    issuer.becomes("ready").await;
}

#[tokio::test]
async fn a_reload_never_changes_the_issuer_url() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    sandbox.write(&MANIFEST.replace("vouch.example.com", "other.example.com"));
    issuer.signal(Signal::HUP);
    issuer.becomes("degraded").await;
    assert!(issuer.log().contains("never changes"));
    let discovery: Value = issuer.get("/.well-known/openid-configuration").await.json().await.unwrap();
    assert_eq!(discovery["issuer"], "https://vouch.example.com");
}

#[tokio::test]
async fn a_reload_puts_new_settings_and_declared_people_in_force() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    sandbox.write(&format!(
        "{MANIFEST}  signingKeys: {{jwksMaxAge: 30s}}\n---\napiVersion: vouch.sh/v1alpha1\nkind: VouchUser\n\
         metadata: {{name: bob}}\nspec: {{email: bob@example.com, groups: [release]}}\n"
    ));
    issuer.signal(Signal::HUP);
    issuer.logs("configuration reloaded");
    let answer = issuer.get("/.well-known/jwks.json").await;
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "public, max-age=30");
    let bob = sandbox.json(&["users", "show", "bob@example.com"]);
    assert_eq!((&bob["declared"], &bob["groups"]), (&true.into(), &serde_json::json!(["release"])));
    assert!(refused(&sandbox.run(&["disable", "bob@example.com"])).contains("declared by a VouchUser"));

    sandbox.write(&format!(
        "{MANIFEST}---\napiVersion: vouch.sh/v1alpha1\nkind: VouchUser\nmetadata: {{name: bob}}\n\
         spec: {{email: bob@example.com, disabled: true}}\n"
    ));
    issuer.signal(Signal::HUP);
    until("bob to be disabled", || {
        let bob = sandbox.json(&["users", "show", "bob@example.com"]);
        (bob["disabled"] == true && bob["groups"] == serde_json::json!([])).then_some(())
    });
    assert!(issuer.audit().contains("\"action\":\"disabled\""));

    sandbox.write(MANIFEST);
    issuer.signal(Signal::HUP);
    issuer.logs("end the access with `vouch-issuer disable bob@example.com`");
    assert_eq!(sandbox.json(&["users", "show", "bob@example.com"])["disabled"], true);
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
    let mut issuer = sandbox.start_with(&["--drain-delay", "2s"]);
    issuer.signal(Signal::TERM);
    issuer.becomes("not_ready").await;
    assert_eq!(issuer.get("/.well-known/jwks.json").await.status(), 200, "load balancers have not noticed yet");
    assert!(issuer.ended());
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

fn certificate(sandbox: &Sandbox) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(sandbox.path("tls.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(sandbox.path("tls.crt"), made.cert.pem()).unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_restart_and_a_bad_one_is_not() {
    let sandbox = Sandbox::initialised();
    certificate(&sandbox);
    let (cert, key) = (sandbox.path("tls.crt"), sandbox.path("tls.key"));
    let issuer = sandbox.start_with(&["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]);
    let url = format!("https://localhost:{}/.well-known/jwks.json", issuer.public.port());
    assert_eq!(client_trusting(Some(&cert)).get(&url).send().await.unwrap().status(), 200);

    std::fs::copy(&cert, sandbox.path("old.crt")).unwrap();
    certificate(&sandbox);
    issuer.logs("TLS certificate replaced");
    assert_eq!(client_trusting(Some(&cert)).get(&url).send().await.unwrap().status(), 200);
    assert!(client_trusting(Some(&sandbox.path("old.crt"))).get(&url).send().await.is_err());

    std::fs::copy(&cert, sandbox.path("good.crt")).unwrap();
    std::fs::write(&cert, "no certificate").unwrap();
    issuer.logs("the previous certificate stays in use");
    assert_eq!(client_trusting(Some(&sandbox.path("good.crt"))).get(&url).send().await.unwrap().status(), 200);
    assert!(issuer.metrics().await.contains("vouch_issuer_certificate_up 0"));
}

#[test]
fn says_which_tls_file_is_missing_and_which_option_belongs_to_it() {
    let sandbox = Sandbox::initialised();
    let missing = sandbox.run(&["serve", "--tls-cert", "/nonexistent.crt", "--tls-key", "/nonexistent.key"]);
    assert!(refused(&missing).contains("/nonexistent.crt"));
    let alone = sandbox.run(&["serve", "--tls-cert", "/nonexistent.crt"]);
    assert_eq!(alone.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&alone.stderr).contains("--tls-key"));
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
