//! What people read who cannot get in, or find nothing there.

use std::{fs, path::Path, time::Instant};

use serde_json::json;
use vouch_control_plane::until;
use vouch_crds::names;

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
    assert!(words.contains(" has no context prod. ") && words.contains("kubectl config get-contexts"), "{words}");
    let nowhere = cluster.plane.cluster().folder().join("nowhere");
    let words = refusal(&nowhere);
    let told = format!("kubectl vouch: the kubeconfig {} cannot be read: No such file", nowhere.display());
    assert!(words.starts_with(&told) && words.ends_with("with --kubeconfig or KUBECONFIG\n"), "{words}");
    assert_eq!(words.lines().count(), 1, "{words}");
    let (told, answer) = cluster.vouch_with(&nowhere, &["status", "-o", "json"]).failure();
    assert_eq!(told, words, "people read the same");
    assert_eq!((&answer["error"]["category"], &answer["error"]["exit_code"]), (&json!("general"), &json!(1)));
    let message = answer["error"]["message"].as_str().unwrap();
    assert_eq!(format!("kubectl vouch: {message}\n"), words);
}

/// Every way that a kubeconfig can be wrong is one sentence and a next step.
pub(crate) fn with_a_kubeconfig_that_is_wrong(cluster: &Cluster) {
    let missing = json!("/nowhere/file");
    let with = |name: &str, pointer: &str, value: &serde_json::Value| {
        cluster.plane.kubeconfig_with(name, |config| *config.pointer_mut(pointer).unwrap() = value.clone())
    };
    let text = cluster.plane.cluster().folder().join("text");
    fs::write(&text, "not: [yaml\n").unwrap();
    let cases = [
        (with("no-context", "/current-context", &json!("gone")), " has no context gone. See those it has, "),
        (
            with("no-cluster", "/contexts/0/context/cluster", &json!("gone")),
            "the context is about the cluster gone, which",
        ),
        (with("no-url", "/clusters/0/cluster/server", &json!("::::")), " is no URL: "),
        (
            with(
                "no-authority",
                "/clusters/0/cluster",
                &json!({"server": "https://127.0.0.1:1", "certificate-authority": missing}),
            ),
            " names cannot be used: /nowhere/file: No such file",
        ),
        (
            with("no-certificate", "/users/0/user", &json!({"client-certificate": missing, "client-key": missing})),
            "client certificate that",
        ),
        (
            with("no-token", "/users/0/user", &json!({"tokenFile": missing})),
            ": the token file /nowhere/file cannot be read: ",
        ),
        (text, "/text is no kubeconfig: line 1 column 6: unclosed bracket"),
    ];
    for (kubeconfig, told) in cases {
        let words = cluster.vouch_with(&kubeconfig, &["status"]).refusal();
        assert!(words.contains(told) && words.lines().count() == 1 && !words.contains('"'), "{words}");
    }
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

/// What the API server refuses to a ReplicaSet stands where people look, at once and in its words.
pub(crate) fn with_pods_that_are_refused(cluster: &Cluster) {
    cluster.patch_issuer(r#"{"spec":{"deployment":{"priorityClassName":"nowhere"}}}"#);
    until("the refusal to be told", || {
        let screen = cluster.vouch(&["status"]).answer();
        screen.matches("no PriorityClass with name nowhere was found").count() == 1
            && screen.contains("kubectl describe replicaset -n vouch -l app.kubernetes.io/instance=vouch\n")
            && screen.contains("\n→ Where the message quotes")
    });
    cluster.patch_issuer(r#"{"spec":{"deployment":{"priorityClassName":null}}}"#);
}

pub(crate) fn with_two_issuers(cluster: &Cluster) {
    let words = cluster.vouch_with(cluster.plane.kubeconfig(), &["keys", "-n", "default"]).refusal();
    assert!(words.contains("There is one in namespace vouch: repeat with -n vouch"), "{words}");
    let everywhere = cluster.vouch_with(cluster.plane.kubeconfig(), &["status", "--all-namespaces"]).answer();
    assert!(everywhere.starts_with("Namespace vouch\nvouch      https://vouch.example.com "), "{everywhere}");
    let nobody = cluster.plane.kubeconfig_of_user("nobody");
    let words = cluster.vouch_with(&nobody, &["status", "-A"]).refusal();
    assert!(words.contains("you may not list vouchissuers in all namespaces"), "{words}");
    let second = cluster.vouch(&["example", "issuer", "--issuer", "second", "-o", "json"]).answer();
    cluster.plane.apply(&second, &[]).answer();
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

/// The operator has just ended without a word. Its Lease is told of when it is old by every clock, to those who may see it.
pub(crate) fn without_an_operator(cluster: &Cluster) {
    let told = |user: &str| {
        let kubeconfig = cluster.plane.kubeconfig_of_user(user);
        let screen = cluster.vouch_with(&kubeconfig, &["status", "-n", "vouch", "-o", "json"]).json();
        let unknown = screen["unknown"].to_string();
        assert!(!unknown.contains("leases"), "{unknown}");
        let findings = screen["findings"].as_array().unwrap().iter();
        findings.filter(|finding| finding["reason"] == "NotActing").cloned().collect::<Vec<_>>()
    };
    let patch = |patch: serde_json::Value| {
        let patch = patch.to_string();
        cluster.plane.told(&["patch", "lease", names::LEASE, "-n", "vouch", "--type=merge", "-p", &patch]);
    };
    let rule = ["--verb=list", "--resource=leases.coordination.k8s.io", "--resource-name=vouch-operator"];
    cluster.plane.told(&[&["create", "clusterrole", "see-operators"], &rule[..]].concat());
    let binding = ["create", "clusterrolebinding", "see-operators", "--clusterrole=see-operators", "--user=keys"];
    cluster.plane.told(&binding);
    patch(json!({"spec": {"renewTime": "2026-01-01T08:00:00.000000Z"}}));
    assert_eq!(told("keys"), Vec::<serde_json::Value>::new(), "the API server has seen it a moment ago");
    patch(json!({"metadata": {"managedFields": [{}]}}));
    until("the absence to be told", || told("keys").len() == 1);
    let message = told("keys")[0]["message"].to_string();
    assert!(
        message.contains("the last one renewed the Lease vouch-operator in namespace vouch at Jan 1 "),
        "{message}"
    );
    assert_eq!(told("status"), Vec::<serde_json::Value>::new(), "whoever may not list Leases is told nothing");
}
