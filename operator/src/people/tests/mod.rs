//! Who is who, and that nobody is written about for nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod directory;
mod laws;
mod passes;
mod sessions;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use kube::runtime::{reflector::ObjectRef, watcher::Event};
use serde_json::{Value, json};
use vouch_issuer::store::conformance::passkey;

use super::{directory::Directory, organization::Organization, person::Person};

const PEOPLE: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchusers";

fn object(name: &str, email: &str, second: i64) -> Value {
    json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchUser",
        "metadata": {
            "name": name, "namespace": "vouch", "uid": uid(name), "generation": 1,
            "creationTimestamp": Timestamp::from_second(1_700_000_000 + second).unwrap().to_string(),
        },
        "spec": {"email": email},
    })
}

/// Its own for every name, and in the order of the names.
fn uid(name: &str) -> String {
    let mut bytes = [0_u8; 16];
    bytes.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn person(value: Value) -> Person {
    serde_json::from_value(value).unwrap()
}

fn issuer(name: &str, domains: &[&str]) -> Organization {
    serde_json::from_value(json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer",
        "metadata": {"name": name, "namespace": "vouch", "uid": uid(name), "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"url": "https://vouch.example.com", "organization": {"name": "Example", "emailDomains": domains}},
    }))
    .unwrap()
}

fn directory(people: &[Value]) -> Directory {
    let mut directory = Directory::default();
    for event in [Event::Init, Event::InitApply(issuer("login", &["example.com"])), Event::InitDone] {
        directory.take_issuer(event);
    }
    directory.take(Event::Init);
    people.iter().for_each(|value| drop(directory.take(Event::InitApply(person(value.clone())))));
    let touched = directory.take(Event::InitDone);
    assert_eq!(touched.len(), people.len());
    directory
}

fn said(directory: &Directory, value: &Value) -> String {
    let finding = directory.finding(&person(value.clone())).unwrap();
    format!("{} {}", finding.truth.as_str(), finding.reason)
}

fn names(touched: &[ObjectRef<Person>]) -> Vec<&str> {
    let mut names: Vec<&str> = touched.iter().map(|touched| touched.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// With an id and security keys, each enrolled at a second.
fn enrolled(mut value: Value, id: Option<&str>, keys: &[(&str, i64)]) -> Value {
    let keys: Vec<Value> = keys.iter().map(|(name, second)| security_key(name, at(*second))).collect();
    value["status"] = json!({"id": id, "keys": keys});
    value
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// Its own for every name.
fn security_key(name: &str, created_at: Timestamp) -> Value {
    let id = URL_SAFE_NO_PAD.encode(name);
    json!({
        "id": name, "credentialId": id, "name": "key", "attested": false, "counter": 1, "createdAt": created_at,
        "credential": passkey(&id).to_string(),
    })
}
