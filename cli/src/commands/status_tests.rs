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

#[test]
fn a_session_is_shown_with_its_key_its_agent_and_its_profiles() {
    let view = View::of(Some(&config()), Some(agent(true)), &document());
    let expected = "\
alice@example.com · vouch.example.com · signed in until 17:42 (6 h 12 min left)
key      YubiKey 5C NFC (…a41f), last used 09:42
agent    running since 09:30, 1 credential cached, next refresh 12:13
aws      vouch-dev   111111111111  VouchAccess  fresh until 12:29, via hub 999999999999
         vouch-prod  222222222222  VouchAccess  not used yet";
    assert_eq!(view.rendered(at("11:29:30"), &TimeZone::UTC), expected);
}

#[test]
fn without_a_session_the_first_line_says_why_and_what_to_do() {
    let nothing = Document::parse(Vec::new()).unwrap();
    let line =
        |config: Option<&Config>, agent| View::of(config, agent, &nothing).headline(at("11:29:30"), &TimeZone::UTC);
    assert_eq!(
        line(Some(&config()), Some(agent(false))),
        "alice@example.com · vouch.example.com · not signed in (your session ended 12 minutes ago). Run: vouch login"
    );
    assert_eq!(line(Some(&config()), None), "alice@example.com · vouch.example.com · not signed in. Run: vouch login");
    assert_eq!(line(None, None), "not set up. Run: vouch enroll URL --code CODE");
}

#[test]
fn a_script_finds_the_end_of_the_session() {
    let json = serde_json::to_value(View::of(Some(&config()), Some(agent(true)), &document())).unwrap();
    assert_eq!(json.pointer("/session/expires_at").unwrap(), "2026-11-21T17:42:11Z");
    assert_eq!(json.pointer("/aws/1/expires_at").unwrap(), &serde_json::Value::Null);
}
