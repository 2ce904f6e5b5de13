//! The memory of the unmodified operator.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use vouch_control_plane::tied;

/// Where no API server answers: the program goes on trying.
const KUBECONFIG: &str = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "nowhere",
    "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
    "clusters": [{"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "nobody", "user": {}}]}"#;

#[test]
fn a_crash_leaves_no_core_file_with_the_signing_keys() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    fs::write(&kubeconfig, KUBECONFIG).unwrap();
    let mut command = tied(env!("CARGO_BIN_EXE_vouch-operator"));
    command.args(["--image=vouch-issuer:1", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]);
    command.env("KUBECONFIG", kubeconfig).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut operator = command.spawn().unwrap();
    let log = BufReader::new(operator.stderr.take().unwrap());
    let listens = log.lines().map_while(Result::ok).any(|line| line.contains("listening on"));

    let limits = fs::read_to_string(format!("/proc/{}/limits", operator.id())).unwrap();
    operator.kill().unwrap();
    operator.wait().unwrap();
    assert!(listens, "it has ended");
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"]);
}
