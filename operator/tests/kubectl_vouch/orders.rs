//! Orders about signing keys.

use std::time::Instant;

use serde_json::Value;
use vouch_control_plane::until;

use crate::plugin::Cluster;

const ROTATE: &str = r".metadata.annotations.vouch\.sh/rotate-keys";

pub(crate) fn without_an_operator(cluster: &Cluster) {
    let started = Instant::now();
    let words = cluster.vouch(&["rotate", "--timeout", "1s"]).refusal();
    assert!(words.contains("the order stands (vouch.sh/rotate-keys on VouchIssuer vouch)"), "{words}");
    assert!(words.contains(vouch_operator::lease::SHOWN_BY), "{words}");
    assert!(started.elapsed().as_secs() < 10);
    assert!(!cluster.issuer(ROTATE).is_empty(), "the order does not stand");
}

pub(crate) fn with_an_operator(cluster: &Cluster) {
    until("signing keys", || !cluster.issuer(".status.activeKey").is_empty());
    let before = cluster.issuer(ROTATE);
    let keys = |said: &Value| -> Vec<(String, String)> {
        let rows = said["keys"].as_array().unwrap().iter();
        rows.map(|key| (key["state"].as_str().unwrap().to_owned(), key["kid"].as_str().unwrap().to_owned())).collect()
    };
    let rotated = cluster.vouch(&["rotate", "-o", "json"]).json();
    assert!(rotated["consequences"][0].as_str().unwrap().starts_with("The next key signs from "), "{rotated}");
    assert_ne!(cluster.issuer(ROTATE), before, "a second order needs a new value");
    let first = keys(&rotated);
    assert_eq!(first.iter().map(|(state, _)| state.as_str()).collect::<Vec<_>>(), ["active", "next"]);

    let leaked = &first[0].1;
    let words = cluster.vouch(&["revoke-key", &"x".repeat(43)]).refusal();
    assert!(words.contains("has no signing key xxx"), "{words}");
    let revoked = cluster.vouch(&["revoke-key", leaked, "-o", "json"]).json();
    assert_eq!(revoked["revoked"][0]["kid"], Value::from(leaked.as_str()));
    assert!(revoked["consequences"][1].as_str().unwrap().starts_with("NOTHING SIGNS"), "{revoked}");
    let words = cluster.vouch(&["revoke-key", leaked]).refusal();
    assert!(words.contains("revoked already") && words.contains("--now"), "{words}");
    let text = cluster.vouch(&["status"]).answer();
    assert!(text.contains("✗ VouchIssuer vouch: NothingSigns") && text.contains("\n→ "), "{text}");
    let at_once = format!("kubectl vouch revoke-key {leaked} --now -n vouch");
    for said in [revoked["consequences"][1].as_str().unwrap(), &text] {
        assert!(said.contains(&format!(": {at_once}")), "one way to the same end, wherever it is named: {said}");
    }

    let waived = cluster.vouch(&["keys", "revoke", leaked, "--now", "-o", "json"]).json();
    assert_eq!(keys(&waived)[0], ("active".to_owned(), first[1].1.clone()));
    let accepted = cluster.vouch(&["accept-clock"]).answer();
    assert!(accepted.starts_with("No date of the keys lies ahead of the clock; nothing was changed."), "{accepted}");

    cluster.patch_issuer(r#"{"spec":{"paused":true}}"#);
    let words = cluster.vouch(&["rotate"]).refusal();
    assert!(words.contains("spec.paused: true"), "{words}");
    cluster.patch_issuer(r#"{"spec":{"paused":false}}"#);
}
