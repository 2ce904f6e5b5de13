#![allow(clippy::unwrap_used)]

use super::*;
use crate::agent::protocol::{AwsCredentialsRequest, EndReason};

const DEV: &str = "arn:aws:iam::111111111111:role/vouch/VouchAccess";
const PROD: &str = "arn:aws:iam::222222222222:role/vouch/VouchAccess";
const HUB: &str = "arn:aws:iam::999999999999:role/vouch/VouchAccess";

fn at(text: &str) -> Timestamp {
    format!("2026-11-21T{text}Z").parse().unwrap()
}

fn config() -> Config {
    Config {
        issuer: "https://vouch.example.com".parse().unwrap(),
        email: Some("alice@example.com".to_owned()),
        credential_id: None,
    }
}

fn agent(session: bool) -> AgentStatus {
    let request = AwsCredentialsRequest { role: DEV.parse().unwrap(), via: None, duration: None, region: None };
    let cached = CachedCredential {
        request,
        chain: vec![HUB.parse().unwrap(), DEV.parse().unwrap()],
        expires_at: at("12:29:00"),
        refresh_at: at("12:13:00"),
    };
    AgentStatus {
        version: "0.1.0".to_owned(),
        pid: 42,
        started_at: at("09:30:00"),
        issuer: session.then(|| "https://vouch.example.com".to_owned()),
        session: session.then(|| SessionInfo {
            user_id: uuid::Uuid::nil(),
            email: "alice@example.com".to_owned(),
            organization: "Example".to_owned(),
            signed_in_at: at("09:42:11"),
            expires_at: at("17:42:11"),
            key_id: "00112233445fa41f".to_owned(),
            key_name: "YubiKey 5C NFC".to_owned(),
        }),
        ended: (!session).then(|| EndedSession { at: at("11:17:00"), reason: EndReason::Expired }),
        credentials: if session { vec![cached] } else { Vec::new() },
        clock_offset_ms: None,
        overrides: Vec::new(),
    }
}

fn document() -> Document {
    let text = format!(
        "[profile vouch-dev]\ncredential_process = vouch credential aws --role {DEV}\n\
         [profile own]\nregion = x\n\
         [profile vouch-prod]\ncredential_process = vouch credential aws --role {PROD}\n"
    );
    Document::parse(text.into_bytes()).unwrap()
}

fn place() -> Place {
    Place { config_file: "/etc/vouch/config.toml".into(), overrides: Vec::new() }
}

fn given(name: &str, value: &str) -> Override {
    Override { name: name.to_owned(), value: value.to_owned() }
}

#[test]
fn variables_that_lead_elsewhere_are_shown_with_whoever_does_not_know_them() {
    let mut agent = agent(true);
    agent.overrides = vec![given("AWS_ENDPOINT_URL_STS", "https://sts.example.com")];
    let overrides = vec![given("VOUCH_CONFIG_DIR", "/own"), given("VOUCH_CA_BUNDLE", "/ca.pem")];
    let place = Place { overrides, ..place() };
    let text = View::of(Some(&config()), Some(agent), &document(), place).rendered(at("11:29:30"), &TimeZone::UTC);
    let expected = "\
config   /etc/vouch/config.toml
env      VOUCH_CONFIG_DIR=/own
         VOUCH_CA_BUNDLE=/ca.pem (here; the agent runs without it)
         AWS_ENDPOINT_URL_STS=https://sts.example.com (in the agent)";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_session_is_shown_with_its_key_its_agent_and_its_profiles() {
    let view = View::of(Some(&config()), Some(agent(true)), &document(), place());
    let expected = "\
alice@example.com · vouch.example.com · signed in until 17:42 (6 h 12 min left)
key      YubiKey 5C NFC (…a41f), last used 09:42
agent    running since 09:30, 1 credential cached, next refresh 12:13
aws      vouch-dev   111111111111  VouchAccess  fresh until 12:29, via hub 999999999999
         vouch-prod  222222222222  VouchAccess  not used yet
config   /etc/vouch/config.toml";
    assert_eq!(view.rendered(at("11:29:30"), &TimeZone::UTC), expected);
}

#[test]
fn without_a_session_the_first_line_says_why_and_what_to_do() {
    let nothing = Document::parse(Vec::new()).unwrap();
    let line = |config: Option<&Config>, agent| {
        View::of(config, agent, &nothing, place()).headline(at("11:29:30"), &TimeZone::UTC)
    };
    assert_eq!(
        line(Some(&config()), Some(agent(false))),
        "alice@example.com · vouch.example.com · not signed in (your session ended 12 minutes ago). Run: vouch login"
    );
    assert_eq!(line(Some(&config()), None), "alice@example.com · vouch.example.com · not signed in. Run: vouch login");
    let first = "not set up. Run: vouch enroll URL, or with a key that is enrolled already: vouch login URL";
    assert_eq!(line(None, None), first);
}

#[test]
fn a_script_finds_the_end_of_the_session() {
    let json = serde_json::to_value(View::of(Some(&config()), Some(agent(true)), &document(), place())).unwrap();
    assert_eq!(json.pointer("/config_file").unwrap(), "/etc/vouch/config.toml");
    assert_eq!(json.pointer("/session/expires_at").unwrap(), "2026-11-21T17:42:11Z");
    assert_eq!(json.pointer("/aws/1/expires_at").unwrap(), &serde_json::Value::Null);
}
