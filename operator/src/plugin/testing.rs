//! Objects for the tests of the plugin.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use jiff::Timestamp;
use serde_json::{Value, json};
use vouch_crds::{issuer::VouchIssuer, names, user::VouchUser};
use vouch_issuer::admin::FrontEnd;

use super::{connect::Connection, refusal::Refusals};
use crate::testing::ApiServer;

/// The way to the namespace `vouch` of a server.
pub(super) fn connection(server: &ApiServer) -> Connection {
    Connection {
        client: server.client(),
        namespace: "vouch".to_owned(),
        server: "https://127.0.0.1".to_owned(),
        refusals: Refusals::default(),
        front_end: FrontEnd::kubectl_vouch(),
    }
}

/// Where an object of that namespace is.
pub(super) fn path(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    format!("/apis/vouch.sh/v1alpha1/namespaces/vouch/{kind}s/{}", object["metadata"]["name"].as_str().unwrap())
}

pub(super) fn put(server: &ApiServer, object: Value) {
    server.put(&path(&object), object);
}

/// Puts the Lease of an operator where it belongs.
pub(super) fn put_lease(server: &ApiServer, lease: Value) {
    let namespace = lease["metadata"]["namespace"].as_str().unwrap();
    server.put(&format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{}", names::LEASE), lease);
}

/// The Lease of an operator, and when it was renewed last.
pub(super) fn lease_json(namespace: &str, holder: &str, renewed: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": names::LEASE, "namespace": namespace},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed},
    })
}

pub(super) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A key id of one letter.
pub(super) fn kid(letter: char) -> String {
    letter.to_string().repeat(43)
}

pub(super) fn issuer_json(name: &str) -> Value {
    json!({
        "apiVersion": "vouch.sh/v1alpha1",
        "kind": "VouchIssuer",
        "metadata": {
            "name": name, "namespace": "vouch", "uid": "uid-1", "generation": 2,
            "creationTimestamp": "2026-11-01T08:00:00Z",
        },
        "spec": {
            "url": "https://vouch.example.com",
            "organization": {"name": "Example", "emailDomains": ["example.com"]},
        },
    })
}

/// An issuer of which a part is of a later version.
pub(super) fn later_json(name: &str) -> Value {
    let mut object = issuer_json(name);
    object["spec"]["exposure"] = json!({"service": {"type": "CarrierPigeon"}});
    object["spec"]["signingKeys"] = json!({"retainRetired": "24h"});
    object
}

pub(super) fn issuer(name: &str) -> VouchIssuer {
    serde_json::from_value(issuer_json(name)).unwrap()
}

pub(super) fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 2,
        "lastTransitionTime": "2026-11-20T08:00:00Z",
    })
}

pub(super) fn status() -> Value {
    json!({
        "observedGeneration": 2,
        "replicas": "3/3",
        "activeKey": kid('Q'),
        "nextRotation": "2026-12-20T09:00:00Z",
        "keysInitializedAt": "2026-11-01T08:00:00Z",
        "conditions": [
            condition("Ready", "True", "AsDeclared", "Everything is as declared."),
            condition("KeysReady", "True", "AsDeclared", "2 keys are published."),
            condition("Available", "True", "AsDeclared", "3 of 3 pods serve."),
            condition("Progressing", "False", "AsDeclared", "Every pod is of the newest version."),
            condition("Paused", "False", "Running", ""),
        ],
        "keys": [
            {"kid": kid('r'), "algorithm": "ES256", "state": "Revoked", "publishedAt": "2026-09-01T08:00:00Z",
             "retiredAt": "2026-10-01T08:00:00Z"},
            {"kid": kid('m'), "algorithm": "ES256", "state": "Retired", "publishedAt": "2026-10-20T08:00:00Z",
             "activatedAt": "2026-10-21T08:00:00Z", "retiredAt": "2026-11-21T08:00:00Z"},
            {"kid": kid('Q'), "algorithm": "ES256", "state": "Active", "publishedAt": "2026-11-20T08:00:00Z",
             "activatedAt": "2026-11-21T08:00:00Z"},
            {"kid": kid('n'), "algorithm": "ES256", "state": "Next", "publishedAt": "2026-11-21T08:00:00Z"},
        ],
    })
}

pub(super) fn issuer_with_keys() -> VouchIssuer {
    let mut object = issuer_json("vouch");
    object["status"] = status();
    serde_json::from_value(object).unwrap()
}

/// A person with so many keys.
pub(super) fn user(email: &str, keys: u32) -> VouchUser {
    serde_json::from_value(user_json(email, keys)).unwrap()
}

pub(super) fn user_json(email: &str, keys: u32) -> Value {
    json!({
        "apiVersion": "vouch.sh/v1alpha1",
        "kind": "VouchUser",
        "metadata": {"name": email.replace('@', "-"), "namespace": "vouch"},
        "spec": {"email": email},
        "status": {"keyCount": keys},
    })
}
