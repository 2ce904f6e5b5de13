//! A control plane without nodes, and `kubectl` on it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{title, tool};

/// Every check is made, and nothing is written.
pub(crate) const JUDGED: [&str; 1] = ["--dry-run=server"];
/// A control plane without nodes. It ends with this process, however that ends.
pub(crate) struct Cluster {
    program: PathBuf,
    folder: String,
    pub(crate) kubeconfig: PathBuf,
}

impl Cluster {
    /// With more flags of `cluster up`.
    pub(crate) fn up(flags: &[&str]) -> Self {
        let program = tool("VOUCH_CLUSTER");
        let output = Command::new(&program)
            .args(["up", "-nodes", "0", "-owner-pid", &std::process::id().to_string()])
            .env_remove("CLUSTER_DIR")
            .args(flags)
            // With it, an object that is owned needs the right to set finalizers of its owner, as it does in OpenShift.
            .args(["-apiserver-arg", "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the cluster does not start");
        let exports = String::from_utf8(output.stdout).unwrap();
        let value = |name: &str| {
            let line = exports.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
            line.unwrap_or_else(|| panic!("no {name} in: {exports}")).trim_matches(['"', '\'']).to_owned()
        };
        Self { program, folder: value("CLUSTER_DIR"), kubeconfig: value("KUBECONFIG").into() }
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.arg("kubectl").args(arguments).env("CLUSTER_DIR", &self.folder).env("KUBECONFIG", &self.kubeconfig);
        command.output().unwrap()
    }

    /// What the API server has written down.
    pub(crate) fn audit_log(&self) -> PathBuf {
        Path::new(&self.folder).join("audit.log")
    }

    /// What kubectl prints when it succeeds.
    pub(crate) fn told(&self, arguments: &[&str]) -> String {
        let output = self.kubectl(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Applies an object, strictly; `how` may say by whom, or that nothing is to be written.
    pub(crate) fn apply(&self, object: &Value, how: &[&str]) -> Output {
        let file = tempfile::NamedTempFile::new().unwrap();
        serde_json::to_writer(file.as_file(), object).unwrap();
        let path = file.path().to_str().unwrap();
        self.kubectl(&[&["apply", "--server-side", "--validate=strict", "--filename", path], how].concat())
    }

    pub(crate) fn takes(&self, object: &Value, how: &[&str]) {
        let output = self.apply(object, how);
        assert!(output.status.success(), "{}: {}", title(object), words(&output));
    }
}

/// Waits until `met` is, for a bounded time.
pub(crate) fn until(what: &str, mut met: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !met() {
        assert!(begun.elapsed() < Duration::from_secs(90), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// Why kubectl has failed.
pub(crate) fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new(&self.program).arg("down").env("CLUSTER_DIR", &self.folder).output();
    }
}
