//! People: the verbs of an issuer that runs alone.

use serde_json::json;
use vouch_control_plane::until;

use crate::plugin::Cluster;

pub(crate) fn from_invite_to_logout(cluster: &Cluster) {
    let invited = cluster.vouch(&["invite", "alice@example.com", "--group", "release", "-o", "json"]).json();
    assert_eq!(invited["command"], "vouch enroll https://vouch.example.com");
    let code = invited["code"].as_str().unwrap().to_owned();
    let object =
        cluster.plane.told(&["get", "vouchuser", "alice-example-com-ff8d9819fc0e12bf", "-n", "vouch", "-o", "json"]);
    assert!(object.contains("\"hash\"") && !object.contains(&code), "the code is kept");
    let text = cluster.vouch(&["invite", "alice@example.com"]).answer();
    assert!(text.contains("The earlier invite no longer works."), "{text}");

    let users = cluster.vouch(&["users", "-o", "json"]).json();
    assert_eq!(users["users"][0]["email"], "alice@example.com");
    assert_eq!(users["users"][0]["groups"][0], "release");
    assert_eq!(users, cluster.vouch(&["users", "list", "-o", "json"]).json());
    let spec = || cluster.plane.told(&["get", "vouchusers", "-n", "vouch", "-o", "jsonpath={.items[0].spec.disabled}"]);
    let said = cluster.vouch(&["disable", "alice@example.com"]).answer();
    assert!(said.contains("alice@example.com is disabled"), "{said}");
    assert_eq!(spec(), "true");
    let words = cluster.vouch(&["invite", "alice@example.com"]).refusal();
    assert!(words.contains("enable first: kubectl vouch enable alice@example.com -n vouch"), "{words}");
    let shown = cluster.vouch(&["users", "show", "alice@example.com"]).answer();
    assert!(shown.contains("no login, no session, no credential; to allow them again: "), "{shown}");
    assert!(shown.contains("kubectl vouch enable alice@example.com -n vouch\n"), "{shown}");
    cluster.vouch(&["enable", "alice@example.com"]).answer();
    assert_eq!(spec(), "false");
    let said = cluster.vouch(&["logout", "alice@example.com"]).answer();
    assert!(said.contains("Every session of alice@example.com is over."), "{said}");

    let words = cluster.vouch(&["users", "show", "bob@example.com"]).refusal();
    assert!(words.contains("kubectl vouch users list"), "{words}");
    let words = cluster.vouch(&["remove-key", "alice@example.com", "0011223344556677"]).refusal();
    assert!(words.contains("kubectl vouch users show alice@example.com"), "{words}");
    let words = cluster.vouch(&["invite", "mallory@example.org"]).refusal();
    assert!(words.contains("is not in a domain of Example Inc."), "{words}");
    let screen = cluster.vouch(&["status", "-o", "json"]).json();
    assert_eq!(screen["people"]["never_enrolled"], 1, "{screen}");
}

/// As after the definitions have been upgraded, and kubectl-vouch has not.
pub(crate) fn when_no_issuer_can_be_read(cluster: &Cluster) {
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
    let patch = json!([{"op": "replace", "path": spec, "value": anything}]).to_string();
    cluster.plane.told(&["patch", "crd", "vouchissuers.vouch.sh", "--type=json", "-p", &patch]);
    for (name, spec, fault) in [
        ("vouch", json!({"exposure": {"service": {"type": "CarrierPigeon"}}}), "cannot read VouchIssuer vouch"),
        ("second", json!({"url": "http://second.example.com"}), "VouchIssuer second is not right"),
    ] {
        let patch = json!({"spec": spec}).to_string();
        let later = ["patch", "vouchissuer", name, "-n", "vouch", "--type=merge", "-p", &patch];
        until("the later definition", || cluster.plane.kubectl(&later).is_success());
        let words = cluster.vouch(&["invite", "ivan@example.com", "--issuer", name]).refusal();
        assert!(words.contains(fault), "{words}");
        let said = cluster.vouch(&["logout", "alice@example.com", "--issuer", name]).answer();
        assert!(said.contains("Every session of alice@example.com is over."), "{said}");
    }
    let said = cluster.vouch(&["disable", "alice@example.com"]).answer();
    assert!(said.contains("alice@example.com is disabled"), "{said}");

    let of_carol = |what: &str| {
        let selector = "--field-selector=spec.email=carol@example.com";
        cluster.plane.told(&[
            "get",
            "vouchusers",
            "-n",
            "vouch",
            selector,
            "-o",
            &format!("jsonpath={{.items[0].{what}}}"),
        ])
    };
    let key = json!({
        "id": "8899aabbccddeeff", "credentialId": "BAUG", "name": "red", "attested": false,
        "createdAt": "2026-01-01T00:00:00Z", "counter": 1, "credential": "of a later version",
    });
    let patch = json!({"status": {"keyCount": 1, "keys": [key]}}).to_string();
    let name = of_carol("metadata.name");
    cluster.plane.told(&[
        "patch",
        "vouchuser",
        &name,
        "-n",
        "vouch",
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ]);
    let words = cluster.vouch(&["disable", "carol@example.com"]).refusal();
    let by_hand =
        format!(r#"kubectl patch vouchuser {name} -n vouch --type merge -p '{{"spec":{{"disabled":true}}}}'"#);
    assert!(words.contains(&by_hand), "{words}");
    let words: Vec<&str> = by_hand.split(' ').skip(1).map(|word| word.trim_matches('\'')).collect();
    cluster.plane.told(&words);
    assert_eq!(of_carol("spec.disabled"), "true");
}
