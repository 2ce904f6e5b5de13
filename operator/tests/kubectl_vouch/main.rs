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
    trouble::without_the_resources(&cluster);
    cluster.install();
    trouble::without_an_issuer(&cluster);
    example(&cluster);
    orders::without_an_operator(&cluster);
    let operator = cluster.operator();
    orders::with_an_operator(&cluster);
    people::from_invite_to_logout(&cluster);
    rights::are_enough_and_needed(&cluster);
    trouble::with_two_issuers(&cluster);
    drop(operator);
    people::when_no_issuer_can_be_read(&cluster);
}

#[test]
fn an_operator_outside_a_cluster_says_once_what_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vouch-operator"));
    command.args(["--image=vouch-issuer:1", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]);
    let words = Outcome::of(command.env_clear().env("HOME", home.path())).refusal();
    let missing = "vouch-operator: the API server cannot be used: no pod's service account leads there and no kubeconfig, which \
                   KUBECONFIG names: ";
    assert!(words.starts_with(missing), "{words}");
    assert_eq!(words.matches("No such file or directory").count(), 1, "{words}");
}

/// What `example issuer` prints can be applied as it stands.
fn example(cluster: &Cluster) {
    let manifest = cluster.vouch(&["example", "issuer"]).answer();
    let judged =
        cluster.plane.apply(&manifest, &["--dry-run=server", "--validate=strict", "--namespace", "vouch"]).answer();
    assert_eq!(judged, "vouchissuer.vouch.sh/vouch created (server dry run)\n");
    cluster.plane.apply(&manifest, &["--namespace", "vouch"]).answer();
    let screen = cluster.vouch(&["status", "-o", "json"]).json();
    assert_eq!(screen["healthy"], json!(true), "{screen}");
    assert_eq!(screen["findings"][0]["reason"], "NotObserved");
}
