//! The program itself: what it prints, and when it ends.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(20);

/// The program, and the one line it prints once it serves.
pub(crate) async fn start(folder: &tempfile::TempDir, more: &[&str]) -> (Child, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_aws-standin"))
        .arg("--state-dir")
        .arg(folder.path())
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    tokio::time::timeout(PATIENCE, stdout.read_line(&mut line)).await.unwrap().unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

#[tokio::test]
async fn says_where_it_serves_and_ends_with_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, ready) =
        start(&folder, &["--exit-with-stdin", "--route", "vouch.example.com=127.0.0.1:8443"]).await;
    assert_eq!(ready["ca"], folder.path().join("ca.pem").to_str().unwrap());
    for listener in ["proxy", "control"] {
        let address = ready[listener].as_str().unwrap().strip_prefix("http://").unwrap();
        tokio::net::TcpStream::connect(address).await.unwrap();
    }
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdin.take());
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn refuses_to_start_with_a_root_it_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_aws-standin"))
        .arg("--state-dir")
        .arg(folder.path())
        .args(["--trust-ca", "/nowhere/ca.pem"])
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("aws-standin: cannot read the certificates of /nowhere/ca.pem"), "{stderr}");
}
