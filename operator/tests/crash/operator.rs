//! A process of the unmodified operator, and the time it lives in.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::{Child, Command};

/// The shortest times that a busy machine keeps.
const ELECTION: [&str; 4] =
    ["--lease-duration=6s", "--lease-renew-deadline=4s", "--lease-retry-period=1s", "--request-timeout=2s"];
/// Lines of a log that say enough of a failure.
const TAIL: usize = 15;

pub(crate) struct Operator {
    child: Child,
    log: PathBuf,
}

impl Operator {
    /// Starts one in a namespace, as a container of the pod `pod`, so many hours from now.
    pub(crate) fn start(folder: &Path, kubeconfig: &Path, namespace: &str, pod: &str, hours: u32) -> Self {
        let log = kubeconfig.with_extension("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_vouch-operator"));
        command.args(["--namespaces", namespace, "--image=vouch-issuer:1", "--qps=400", "--burst=400"]);
        command.args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]).args(ELECTION);
        command.env("KUBECONFIG", kubeconfig).envs([("POD_NAME", pod), ("POD_UID", pod), ("POD_NAMESPACE", namespace)]);
        command.envs(clock(hours)).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        Self { child: command.kill_on_drop(true).spawn().unwrap(), log }
    }

    /// Kills it, at whatever it is.
    pub(crate) async fn kill(&mut self) {
        // It may have ended by itself in this moment.
        let _ = self.child.kill().await;
    }

    /// Ends when it has ended by itself.
    pub(crate) async fn ended(&mut self) {
        self.child.wait().await.unwrap();
    }

    /// The last it had to say.
    pub(crate) fn words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(TAIL)).map(|line| format!("    {line}\n")).collect()
    }
}

/// What lets a process live so many hours from now, while its timers and deadlines stay as they are.
fn clock(hours: u32) -> Vec<(&'static str, String)> {
    if hours == 0 {
        return Vec::new();
    }
    let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
    assert!(Path::new(&library).exists(), "{library} is missing; install the package faketime");
    vec![("LD_PRELOAD", library), ("FAKETIME", format!("+{hours}h")), ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned())]
}
