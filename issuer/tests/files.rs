//! What the program does when its files are missing or wrong, or change under it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use reqwest::header;
use rustix::process::Signal;
use serde_json::Value;
use support::{MANIFEST, PATIENCE, Running, Sandbox, client, client_trusting, refused, until};

fn execute(database: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[test]
fn refuses_to_start_without_a_database_and_makes_none() {
    let sandbox = Sandbox::new();
    for serve in [&["serve"][..], &["serve", "-o", "json"]] {
        // On standard output there would be the audit trail, and nothing else.
        assert!(refused(&sandbox.run(serve)).contains("vouch-issuer init"));
    }
    assert!(!sandbox.database().exists());
}

#[test]
fn refuses_to_start_without_good_keys_and_never_makes_new_ones() {
    for (damage, message) in [
        ("DELETE FROM keyring", "or move it away and begin anew with the command init"),
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

/// A command, the file that is in its way, and what its user reads.
#[test]
fn a_command_names_the_file_that_is_in_its_way_and_what_to_do() {
    let sandbox = Sandbox::initialised();
    let path = |name: &str| sandbox.path(name).to_str().unwrap().to_owned();
    let with_database = |name: &str, change: &dyn Fn(&Path)| {
        let directory = sandbox.path(name);
        std::fs::create_dir(&directory).unwrap();
        std::fs::copy(sandbox.database(), directory.join("issuer.db")).unwrap();
        change(&directory.join("issuer.db"));
        directory.to_str().unwrap().to_owned()
    };
    let cut_off = with_database("cut", &|file| {
        std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(3000).unwrap();
    });
    let newer = with_database("newer", &|file| execute(file, "PRAGMA user_version = 99"));
    let replaced = with_database("replaced", &|file| {
        std::fs::remove_file(file).unwrap();
        std::fs::create_dir(file).unwrap();
    });
    std::fs::write(path("file"), "").unwrap();
    for (arguments, in_the_way, advice) in [
        (vec!["check", "-f", &path("none.yaml")], path("none.yaml"), "name the manifest with --config"),
        (vec!["check", "-f", &path("data")], path("data"), "name the file with the manifest"),
        (vec!["check", "-f", "/dev/zero"], "/dev/zero".to_owned(), "which no manifest is"),
        (vec!["init", "--data-dir", &path("file")], path("file"), "is not a directory; name one with --data-dir"),
        (vec!["serve", "--data-dir", &path("file")], path("file"), "is not a directory; name one with --data-dir"),
        (vec!["init", "--data-dir", "/proc/x"], "/proc/x".to_owned(), "or name another directory with --data-dir"),
        (vec!["init", "--data-dir", "/proc"], "/proc".to_owned(), "or name another directory with --data-dir"),
        (vec!["init"], path("data/issuer.db"), "move it away"),
        (vec!["users", "list", "--data-dir", &path("none")], path("none/issuer.db"), "vouch-issuer init"),
        (vec!["users", "list", "--data-dir", &cut_off], format!("{cut_off}/issuer.db"), "restore it from a backup"),
        (
            vec!["serve", "--data-dir", &newer],
            format!("{newer}/issuer.db"),
            "run the release that wrote it, or a later one, or restore a backup",
        ),
        (
            vec!["invite", "alice@example.com", "--data-dir", &replaced],
            format!("{replaced}/issuer.db"),
            "check the path",
        ),
    ] {
        let output = sandbox.run(&arguments);
        let message = refused(&output);
        let sentence = message.lines().next().unwrap();
        assert!(sentence.contains(&in_the_way) && sentence.contains(advice), "{arguments:?}: {message}");
    }
}

#[test]
fn a_crash_leaves_no_core_file_with_the_signing_keys() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    assert_eq!(issuer.limits("Max core file size"), ("0".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn a_second_issuer_on_the_same_database_serves_the_same_keys() {
    let sandbox = Sandbox::initialised();
    let (one, two) = (sandbox.start(), sandbox.start());
    let keys = async |issuer: &Running| issuer.get("/.well-known/jwks.json").await.text().await.unwrap();
    assert_eq!(keys(&one).await, keys(&two).await);
    let next = sandbox.json(&["keys", "show"])["keys"][1]["kid"].as_str().unwrap().to_owned();
    sandbox.json(&["keys", "revoke", &next]);
    for issuer in [&one, &two] {
        let begun = Instant::now();
        while keys(issuer).await.contains(&next) {
            assert!(begun.elapsed() < PATIENCE, "still published");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(keys(&one).await, keys(&two).await);
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
    issuer.logs("the last good signing keys stay in use");

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

/// A machine under load may be late once; an issuer that keeps its promise is not late every time.
#[tokio::test]
async fn a_key_revoked_by_order_is_gone_from_the_running_issuer_within_two_seconds() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    let (http, url) = (client(), issuer.url("/.well-known/jwks.json"));
    let published = async || {
        let answer = http.get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.unwrap()["keys"].as_array().unwrap().clone()
    };
    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        let next = sandbox.json(&["keys", "show"])["keys"][1]["kid"].take();
        sandbox.json(&["keys", "revoke", next.as_str().unwrap()]);
        let ordered = Instant::now();
        let (took, keys) = loop {
            let asked = ordered.elapsed();
            let keys = published().await;
            if keys.iter().all(|key| key["kid"] != next) {
                break (asked, keys);
            }
            assert!(asked < PATIENCE, "still published");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(keys.len(), 2, "another next key is published at once: {keys:?}");
        fastest = fastest.min(took);
    }
    assert!(fastest < Duration::from_secs(2), "{fastest:?}");
}

#[tokio::test]
async fn an_issuer_with_which_nothing_signs_says_so_once_and_goes_on_publishing_its_keys() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    let active = sandbox.json(&["keys", "show"])["keys"][0]["kid"].as_str().unwrap().to_owned();
    sandbox.json(&["keys", "revoke", &active]);
    let (code, body) = issuer.becomes("degraded").await;
    assert_eq!(code, 200, "the key set is served, too");
    assert!(body["keys"].as_str().unwrap().starts_with("nothing signs ES256 until "), "{body}");
    let next_step = format!("vouch-issuer keys revoke {active} --now");
    issuer.logs(&next_step);
    assert!(issuer.metrics().await.contains("vouch_issuer_signing_keys{state=\"active\"} 0"));
    assert_eq!(issuer.get("/.well-known/jwks.json").await.status(), 200);

    let (database, aside) = (sandbox.database(), sandbox.path("data").join("aside"));
    let keys_become = async |what: &str| issuer.reports("keys", |said| said.contains(what), what).await;
    for _ in 0..2 {
        std::fs::rename(&database, &aside).unwrap();
        keys_become("the last good keys stay in use").await;
        std::fs::rename(&aside, &database).unwrap();
        keys_become("nothing signs").await;
    }
    assert_eq!(issuer.log().matches("NOTHING SIGNS").count(), 1, "{}", issuer.log());
    drop(issuer);

    let issuer = sandbox.start();
    issuer.logs(&next_step);
    sandbox.json(&["keys", "revoke", &active, "--now"]);
    issuer.becomes("ready").await;
    issuer.logs("a key signs again");
}

#[tokio::test]
async fn an_issuer_without_a_key_for_another_algorithm_goes_on_giving_credentials_and_says_so() {
    let sandbox = Sandbox::initialised_with(&format!("{MANIFEST}  signingKeys: {{algorithms: [ES256, RS256]}}\n"));
    let issuer = sandbox.start();
    let keys = sandbox.json(&["keys"])["keys"].take();
    let is_sought = |key: &&serde_json::Value| key["algorithm"] == "RS256" && key["state"] == "active";
    let active = keys.as_array().unwrap().iter().find(is_sought).unwrap()["kid"].as_str().unwrap();
    sandbox.json(&["keys", "revoke", active]);
    issuer.logs("NOTHING SIGNS RS256 until");
    assert!(issuer.log().contains("logins and credentials of AWS go on"));
    issuer.becomes("ready").await;
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
        issuer.logs(field);
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
    issuer.logs("never changes");
    let discovery: Value = issuer.get("/.well-known/openid-configuration").await.json().await.unwrap();
    assert_eq!(discovery["issuer"], "https://vouch.example.com");
}

#[test]
fn a_database_serves_another_url_only_after_an_order() {
    let sandbox = Sandbox::initialised();
    let moved = MANIFEST.replace("vouch.example.com", "other.example.com");
    sandbox.write(&moved);
    for arguments in [vec!["serve"], vec!["invite", "alice@example.com"]] {
        let output = sandbox.run(&arguments);
        let message = refused(&output);
        for part in ["https://vouch.example.com", "https://other.example.com", "vouch-issuer accept-url"] {
            assert!(message.contains(part), "{arguments:?}: {message}");
        }
    }
    let accepted = sandbox.json(&["accept-url"]);
    assert_eq!(accepted["before"], "https://vouch.example.com");
    drop(sandbox.start());
    sandbox.write(MANIFEST);
    assert!(refused(&sandbox.run(&["serve"])).contains("belongs to the issuer https://other.example.com"));
}

#[test]
fn a_database_made_before_it_remembered_its_issuer_is_its_first_starters() {
    let sandbox = Sandbox::initialised();
    execute(&sandbox.database(), "DROP TABLE issuer; PRAGMA user_version = 2");
    sandbox.json(&["users", "list"]);
    drop(sandbox.start());
    sandbox.write(&MANIFEST.replace("vouch.example.com", "other.example.com"));
    assert!(refused(&sandbox.run(&["serve"])).contains("belongs to the issuer https://vouch.example.com"));
}

#[test]
fn serving_without_tls_and_without_a_known_proxy_is_pointed_out_with_the_next_step() {
    let sandbox = Sandbox::initialised();
    let issuer = sandbox.start();
    issuer.logs("plain HTTP, and spec.http.trustedProxies names no proxy: give --tls-cert and --tls-key");
    drop(issuer);
    sandbox.write(&format!("{MANIFEST}  http: {{trustedProxies: [10.0.0.0/8]}}\n"));
    assert!(!sandbox.start().log().contains("plain HTTP"));
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
    until("the audit line", || issuer.audit().contains("\"action\":\"disabled\"").then_some(()));

    sandbox.write(MANIFEST);
    issuer.signal(Signal::HUP);
    issuer.logs("end the access with `vouch-issuer disable bob@example.com`");
    assert_eq!(sandbox.json(&["users", "show", "bob@example.com"])["disabled"], true);
}

/// A new pair, each file of which comes whole.
fn certificate(sandbox: &Sandbox) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    for (name, pem) in [("tls.key", made.signing_key.serialize_pem()), ("tls.crt", made.cert.pem())] {
        std::fs::write(sandbox.path("new.pem"), pem).unwrap();
        std::fs::rename(sandbox.path("new.pem"), sandbox.path(name)).unwrap();
    }
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
    // The log may have said that it stays before: of the new key beside the old certificate.
    issuer.measures("vouch_issuer_certificate_up 0").await;
    issuer.logs("the previous certificate stays in use");
    assert_eq!(client_trusting(Some(&sandbox.path("good.crt"))).get(&url).send().await.unwrap().status(), 200);
}

#[test]
fn a_certificate_for_another_host_is_pointed_out_at_the_start_and_at_every_renewal() {
    let sandbox = Sandbox::initialised();
    certificate(&sandbox);
    let (cert, key) = (sandbox.path("tls.crt"), sandbox.path("tls.key"));
    let pair = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let warning = "is for localhost, and the host of spec.url is vouch.example.com";
    let issuer = sandbox.start_with(&pair);
    issuer.logs(warning);
    certificate(&sandbox);
    until("the second warning", || (issuer.log().matches(warning).count() == 2).then_some(()));
    drop(issuer);

    sandbox.write(&format!("{MANIFEST}  http: {{trustedProxies: [10.0.0.0/8]}}\n"));
    assert!(!sandbox.start_with(&pair).log().contains(warning), "the proxy knows by what name it comes");
    sandbox.write(&MANIFEST.replace("vouch.example.com", "localhost"));
    sandbox.json(&["accept-url"]);
    assert!(!sandbox.start_with(&pair).log().contains("the host of spec.url"));
}

#[test]
fn a_certificate_and_the_key_of_another_are_named_in_words() {
    let sandbox = Sandbox::initialised();
    certificate(&sandbox);
    std::fs::copy(sandbox.path("tls.key"), sandbox.path("other.key")).unwrap();
    certificate(&sandbox);
    let (cert, key) = (sandbox.path("tls.crt"), sandbox.path("other.key"));
    let listen = ["serve", "--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0"];
    let pair = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let output = sandbox.run(&[listen.as_slice(), &pair].concat());
    let message = refused(&output);
    assert!(message.contains("other.key is not the key of the certificate in"), "{message}");
    assert!(!message.contains("KeyMismatch"), "{message}");
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
