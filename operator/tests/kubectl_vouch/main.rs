//! `kubectl vouch` and the operator on a real API server, without nodes: what people read, what is asked of the cluster,
//! and what the rights in the reference are good for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod orders;
mod people;
mod plugin;
mod rights;
mod trouble;

use std::process::Command;

use plugin::Cluster;
use serde_json::json;
use vouch_control_plane::Outcome;

/// One cluster for everything, in the order in which an administrator meets it.
#[test]
fn an_administrators_first_day() {
    let cluster = Cluster::start();
    trouble::without_a_way_in(&cluster);
    trouble::with_a_kubeconfig_that_is_wrong(&cluster);
    trouble::without_the_resources(&cluster);
    cluster.install();
    trouble::without_an_issuer(&cluster);
    example(&cluster);
    orders::without_an_operator(&cluster);
    let operator = cluster.operator();
    orders::with_an_operator(&cluster);
    people::from_invite_to_logout(&cluster);
    rights::are_enough_and_needed(&cluster);
    trouble::with_pods_that_are_refused(&cluster);
    trouble::with_two_issuers(&cluster);
    drop(operator);
    trouble::without_an_operator(&cluster);
    people::when_no_issuer_can_be_read(&cluster);
}

#[test]
fn a_program_that_asks_for_json_reads_what_is_wrong_with_its_command_line() {
    let plugin =
        |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_kubectl-vouch")).args(arguments).output().unwrap();
    let text = plugin(&["status", "-n", "Bad NS"]);
    assert_eq!((text.status.code(), text.stdout.as_slice()), (Some(2), &b""[..]));
    let told = plugin(&["status", "-n", "Bad NS", "-o", "json"]);
    assert_eq!((told.status.code(), told.stderr), (Some(2), text.stderr), "people read the same");
    let answer: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&answer["error"]["category"], &answer["error"]["exit_code"]), (&json!("usage"), &json!(2)));
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("invalid value 'Bad NS' for '--namespace <NAMESPACE>': no namespace is called that: "),
        "{message}"
    );
    let told = plugin(&["-n", "vouch", "status", "-A", "-o", "json"]);
    let answer: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let message = "the argument '--all-namespaces' cannot be used with '--namespace <NAMESPACE>'";
    let expected = json!({"error": {"category": "usage", "exit_code": 2, "message": message}});
    assert_eq!((told.status.code(), answer), (Some(2), expected));
    let help = plugin(&["status", "--help", "-o", "json"]);
    assert!(help.status.success() && help.stdout.starts_with(b"One screen: "));
}

#[test]
fn an_operator_outside_a_cluster_says_once_what_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vouch-operator"));
    command.args(["--image=vouch-issuer:1", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]);
    let words = Outcome::of(command.env_clear().env("HOME", home.path())).refusal();
    let missing = format!(
        "vouch-operator: the API server cannot be used: run it in a cluster, where `helm install` puts it, or name a kubeconfig \
         in KUBECONFIG: the kubeconfig {} cannot be read: No such file or directory (os error 2)\n",
        home.path().join(".kube/config").display()
    );
    assert_eq!(words, missing);
}

#[test]
fn an_operator_without_credentials_does_not_tell_what_the_program_that_makes_them_wrote() {
    let home = tempfile::tempdir().unwrap();
    let kubeconfig = home.path().join("config");
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
        "command": "/bin/echo", "args": ["SUPERSECRETTOKEN"],
    });
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "main", "user": "alice"}}],
        "clusters": [{"name": "main", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "alice", "user": {"exec": exec}}],
    });
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vouch-operator"));
    command.args(["--image=vouch-issuer:1", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]);
    let words = Outcome::of(command.env_clear().env("KUBECONFIG", kubeconfig)).refusal();
    let told = "vouch-operator: the API server cannot be used: there are no credentials for the API server: the \
                program that makes credentials wrote something else\n";
    assert_eq!(words, told);
}

/// What `example issuer` prints can be applied as it stands.
fn example(cluster: &Cluster) {
    let manifest = cluster.vouch(&["example", "issuer"]).answer();
    let judged =
        cluster.plane.apply(&manifest, &["--dry-run=server", "--validate=strict", "--namespace", "vouch"]).answer();
    assert_eq!(judged, "vouchissuer.vouch.sh/vouch created (server dry run)\n");
    cluster.plane.apply(&manifest, &["--namespace", "vouch"]).answer();
    let screen = cluster.vouch(&["status", "-o", "json"]).json();
    let findings = screen["findings"].as_array().unwrap().iter();
    let reasons: Vec<_> = findings.map(|finding| finding["reason"].as_str().unwrap()).collect();
    assert_eq!((&screen["healthy"], reasons), (&json!(false), vec!["NotActing", "NotObserved"]), "{screen}");
}
