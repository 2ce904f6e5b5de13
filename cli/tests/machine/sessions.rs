use std::time::Duration;

use vouch_cli::{
    agent::protocol::{EndReason, Reply, Request},
    error::Category,
};

use crate::{
    home::{Home, assert_promptly, wait_until},
    world::{DEV, DIRECT, World},
};

const SOON: Duration = Duration::from_secs(30);

fn signed_in() -> (World, Home) {
    let world = World::start();
    let home = Home::at(&world);
    home.login(&world);
    (world, home)
}

/// Waits until the agent's watch hangs at the issuer.
fn watching(world: &World) {
    wait_until(SOON, "the agent watches", || world.with(|facts| facts.watches > 0));
}

#[test]
fn a_proof_is_repeated_once_with_the_issuers_nonce() {
    let (world, _home) = signed_in();
    assert_eq!(world.with(|facts| facts.logins), 2);
}

#[test]
fn a_token_that_whoever_copies_it_can_use_is_not_taken() {
    let world = World::start();
    let home = Home::at(&world);
    world.with(|facts| facts.token_type = Some("Bearer"));
    assert_eq!(home.try_login(&world).unwrap_err().category, Category::Denied);
    assert!(home.status().session.is_none());
    world.with(|facts| facts.token_type = Some("dpop"));
    home.login(&world);
}

#[test]
fn logout_everywhere_is_noticed_in_under_a_second_and_forgets_every_credential() {
    assert_promptly(Duration::from_secs(1), || {
        let (world, home) = signed_in();
        home.credentials(DEV);
        watching(&world);
        world.end_sessions();
        let took = wait_until(SOON, "the session is over", || home.status().session.is_none());
        let status = home.status();
        assert_eq!(status.credentials, []);
        let reason = EndReason::Issuer { words: "All your sessions were ended".to_owned() };
        assert_eq!(status.ended.unwrap().reason, reason);
        let ran = home.run(&["credential", "aws", "--role", DEV]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
        let sentence = "vouch: you are not signed in (your session was ended just now: All your sessions were ended). Run: vouch login\n";
        assert_eq!(ran.stderr, sentence);
        took
    });
}

#[test]
fn a_session_whose_time_is_over_takes_its_credentials_along() {
    let world = World::start();
    let home = Home::at(&world);
    let ran = || home.run(&["credential", "aws", "--role", DIRECT]);
    // On a busy machine a short session may be over before it is used.
    let is_used = [3, 6, 12].into_iter().any(|lifetime| {
        world.with(|facts| facts.lifetime = lifetime);
        home.login(&world);
        ran().code == 0
    });
    assert!(is_used, "{:?}", ran());
    wait_until(SOON, "the session is over", || ran().code == 2);
    assert_eq!(ran().stderr, "vouch: you are not signed in (your session ended just now). Run: vouch login\n");
    assert_eq!(home.status().credentials, []);
}

#[test]
fn a_network_that_is_down_ends_no_session() {
    let (world, home) = signed_in();
    let first = home.credentials(DEV);
    watching(&world);
    world.with(|facts| facts.issuer_is_down = true);
    assert_eq!(home.credentials(DEV), first, "what is cached serves on");
    let ran = home.run(&["credential", "aws", "--role", DIRECT]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stderr.contains("is down, or something between is"), "{}", ran.stderr);
    assert!(home.status().session.is_some());
    world.with(|facts| facts.issuer_is_down = false);
    home.credentials(DIRECT);
}

#[test]
fn logout_forgets_the_session_here() {
    let (_world, home) = signed_in();
    home.credentials(DEV);
    assert_eq!(home.run(&["logout"]).code, 0);
    let status = home.status();
    assert_eq!((status.session, status.credentials), (None, Vec::new()));
    let again = home.run(&["logout"]);
    assert_eq!((again.code, again.stderr.as_str()), (0, "Nobody was signed in.\n"), "twice is as good as once");
    let ran = home.run(&["credential", "aws", "--role", DEV]);
    assert_eq!(ran.stderr, "vouch: you are not signed in (you signed out just now). Run: vouch login\n");
}

#[test]
fn logout_everywhere_that_cannot_reach_the_issuer_keeps_the_session_and_says_so() {
    let (world, home) = signed_in();
    world.with(|facts| facts.issuer_is_down = true);
    assert_eq!(home.run(&["logout", "--everywhere"]).code, 4);
    assert!(home.status().session.is_some());
    world.with(|facts| facts.issuer_is_down = false);
    assert_eq!(home.run(&["logout", "--everywhere"]).code, 0);
    assert!(home.status().session.is_none());
}

#[test]
fn a_clock_ten_minutes_off_is_allowed_for_and_told() {
    let world = World::start();
    let home = Home::at(&world);
    world.with(|facts| facts.clock_ahead = 600);
    home.login(&world);
    home.credentials(DEV);
    let offset = home.status().clock_offset_ms.unwrap();
    assert!((-603_000..=-597_000).contains(&offset), "{offset}");
    let doctor = home.run(&["doctor", "issuer"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.stdout.contains("this machine's clock is") && doctor.stdout.contains("behind"), "{}", doctor.stdout);
}

#[test]
fn neither_an_answer_nor_the_finest_log_holds_a_secret() {
    let world = World::start();
    let mut home = Home::at(&world);
    home.set("VOUCH_LOG", "trace");
    home.login(&world);
    let secret = home.credentials(DEV)["SecretAccessKey"].as_str().unwrap().to_owned();
    let mut client = home.client();
    for request in [Request::Status, Request::AwsRoles] {
        let reply: Reply = client.call(request).unwrap();
        assert!(!serde_json::to_string(&reply).unwrap().contains("session-token"));
    }
    let log = std::fs::read_to_string(home.path(".local/state/vouch/agent.log")).unwrap();
    assert!(log.contains("alice@example.com"), "{log}");
    for secret in ["session-token", "the.id.token", "ASIA", &secret] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[test]
fn status_tells_people_and_scripts_the_same() {
    let (_world, home) = signed_in();
    assert_eq!(home.run(&["setup", "aws", "--role", DEV, "--profile", "vouch-dev"]).code, 0);
    home.credentials(DEV);
    let text = home.run(&["status"]);
    assert_eq!(text.code, 0);
    assert!(text.stdout.starts_with("alice@example.com · localhost:"), "{}", text.stdout);
    assert!(text.stdout.contains("via hub 999999999999"), "{}", text.stdout);
    let json: serde_json::Value = serde_json::from_str(&home.run(&["status", "--output", "json"]).stdout).unwrap();
    assert!(json.pointer("/session/expires_at").unwrap().as_str().unwrap().ends_with('Z'));
    home.run(&["logout"]);
    assert_eq!(home.run(&["status"]).code, 2);
}

#[test]
fn under_json_stdout_is_one_object_whatever_happens() {
    let (_world, home) = signed_in();
    let object = |arguments: &[&str]| {
        let ran = home.run(&[arguments, &["--output", "json"]].concat());
        let answer: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        assert!(answer.is_object(), "{arguments:?}: {ran:?}");
        (ran.code, answer)
    };
    assert_eq!(object(&["login"]).1["session"]["email"], "alice@example.com");
    assert_eq!(object(&["aws", "roles"]).1["roles"][0]["role"], DEV);
    let config = object(&["doctor", "config"]).1["checks"][0]["finding"].as_str().unwrap().to_owned();
    assert!(config.starts_with(home.path(".config").to_str().unwrap()), "no tilde for programs: {config}");
    let status = object(&["status"]).1;
    assert!(std::path::Path::new(status["config_file"].as_str().unwrap()).is_absolute());
    let setup = object(&["setup", "aws", "--role", DEV, "--profile", "vouch-dev"]).1;
    assert_eq!((&setup["change"], &setup["profiles"][0]), (&"added".into(), &"vouch-dev".into()));
    let (code, refused) = object(&["setup", "aws", "--role", DEV, "--profile", "a b"]);
    assert_eq!((code, refused["error"]["category"].as_str()), (7, Some("usage")));
    assert_eq!(object(&["logout"]).1["signed_out"], true);
    assert_eq!(object(&["logout"]).1["signed_out"], false);
    let (code, failed) = object(&["keys", "list"]);
    assert_eq!((code, failed["error"]["exit_code"].as_i64()), (2, Some(2)));
    assert_eq!(failed["error"]["hint"], "Run: vouch login");
}

#[test]
fn an_area_of_the_doctor_can_be_asked_for_by_every_name_it_prints() {
    let (_world, home) = signed_in();
    for area in ["config", "environment", "issuer", "security", "agent", "session", "aws"] {
        let ran = home.run(&["doctor", area]);
        assert!(ran.stdout.lines().any(|line| line.contains(&format!(" {area} "))), "{ran:?}");
    }
}

#[test]
fn an_issuer_with_an_untrusted_certificate_is_explained() {
    let world = World::start();
    let mut home = Home::at(&world);
    let other = home.path("other.pem");
    std::fs::write(&other, World::start().certificate).unwrap();
    home.set("VOUCH_CA_BUNDLE", other.to_str().unwrap());
    let ran = home.run(&["doctor", "issuer", "--output", "json"]);
    assert_eq!(ran.code, 1);
    let answer: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(answer["checks"][0]["state"], "problem");
    assert!(ran.stdout.contains("not signed by an authority this machine trusts"), "{}", ran.stdout);
    assert!(ran.stdout.contains("VOUCH_CA_BUNDLE"), "{}", ran.stdout);
}
