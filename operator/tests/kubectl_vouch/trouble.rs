//! What people read who cannot get in, or find nothing there.

use std::{path::Path, time::Instant};

use serde_json::json;
use vouch_control_plane::until;

use crate::plugin::Cluster;

pub(crate) fn without_a_way_in(cluster: &Cluster) {
    let refusal = |kubeconfig: &Path| cluster.vouch_with(kubeconfig, &["status"]).refusal();
    let away = cluster.plane.kubeconfig_with("away", |config| {
        config["clusters"][0]["cluster"]["server"] = json!("https://127.0.0.1:1");
    });
    let begun = Instant::now();
    let words = refusal(&away);
    let waited = begun.elapsed();
    assert!((3..20).contains(&waited.as_secs()), "waited {waited:?} for an API server that may be about to come back");
    assert!(words.starts_with("kubectl vouch: https://127.0.0.1:1 cannot be reached: "), "{words}");
    assert!(words.contains("refused"), "{words}");
    let expired = cluster.plane.kubeconfig_with("expired", |config| {
        config["users"][0]["user"] = json!({"token": "expired"});
    });
    let words = refusal(&expired);
    assert!(words.contains("does not accept the credentials") && words.contains("kubectl auth whoami"), "{words}");
    let failing = cluster.plane.kubeconfig_with("failing", |config| {
        config["users"][0]["user"] = json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
            "command": "sh", "args": ["-c", "echo sign in first >&2; exit 3"],
        }});
    });
    let words = refusal(&failing);
    assert!(words.contains("gives no credentials") && words.contains("sign in first"), "{words}");
    let words = cluster.vouch_with(cluster.plane.kubeconfig(), &["status", "--context", "prod"]).refusal();
    assert!(words.contains("no context prod") && words.contains("kubectl config get-contexts"), "{words}");
    let nowhere = cluster.plane.cluster().folder().join("nowhere");
    let words = refusal(&nowhere);
    assert!(words.contains("no cluster is configured"), "{words}");
    let (told, answer) = cluster.vouch_with(&nowhere, &["status", "-o", "json"]).failure();
    assert_eq!(told, words, "people read the same");
    assert_eq!((&answer["error"]["category"], &answer["error"]["exit_code"]), (&json!("general"), &json!(1)));
    let message = answer["error"]["message"].as_str().unwrap();
    assert_eq!(format!("kubectl vouch: {message}\n"), words);
}

pub(crate) fn without_the_resources(cluster: &Cluster) {
    for command in [&["status"][..], &["keys"], &["users"], &["rotate"]] {
        let words = cluster.vouch(command).refusal();
        assert!(words.contains("Vouch is not installed"), "{command:?}: {words}");
    }
}

pub(crate) fn without_an_issuer(cluster: &Cluster) {
    let words = cluster.vouch(&["keys"]).refusal();
    assert!(
        words.contains("namespace vouch has no VouchIssuer") && words.contains("kubectl vouch example issuer"),
        "{words}"
    );
}

pub(crate) fn with_two_issuers(cluster: &Cluster) {
    let words = cluster.vouch_with(cluster.plane.kubeconfig(), &["keys", "-n", "default"]).refusal();
    assert!(words.contains("There is one in namespace vouch: repeat with -n vouch"), "{words}");
    let second = cluster.vouch(&["example", "issuer"]).answer().replace("name: vouch\n", "name: second\n");
    cluster.plane.apply(&second, &["--namespace", "vouch"]).answer();
    let words = cluster.vouch(&["keys"]).refusal();
    assert!(words.contains("several VouchIssuers (second, vouch); choose one with --issuer"), "{words}");
    let table = cluster.vouch(&["keys", "--issuer", "vouch", "-o", "json"]).json();
    assert_eq!(table["issuer"], "vouch");
    until("the second issuer to be refused", || {
        let screen = cluster.vouch(&["status", "-o", "json"]).json();
        screen["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|finding| finding["object"] == "VouchIssuer second" && finding["reason"] == "NamespaceTaken")
    });
}
