//! A cluster of the tool, from its start to its end.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{self, Command},
};

use serde::Deserialize;
use serde_json::Value;

use crate::Outcome;

/// The tool: `VOUCH_CLUSTER`.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn program() -> PathBuf {
    let path = env::var_os("VOUCH_CLUSTER").map(PathBuf::from);
    let path = path.expect("VOUCH_CLUSTER is not set; the Makefile sets it, and builds it: make cluster");
    assert!(path.exists(), "{} is missing; build it first: make cluster", path.display());
    path
}

/// A cluster that ends when this is dropped, and with this process, however that ends.
#[derive(Debug)]
pub struct Cluster {
    program: PathBuf,
    description: Description,
}

/// What the tool says of a cluster; see `e2e/cluster/README.md`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    dir: PathBuf,
    server: String,
    kubeconfig: PathBuf,
    audit_log: PathBuf,
}

impl Cluster {
    /// Starts one, with flags of `cluster up`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn up(flags: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let program = program();
        let mut command = Command::new(&program);
        command.args(["up", "-owner-pid", &process::id().to_string()]).args(flags);
        // Ctrl-C at the terminal is for whoever runs this process.
        command.process_group(0).env_remove("CLUSTER_DIR").env_remove("KUBECONFIG");
        let exports = Outcome::of(&mut command).answer();
        let folder = exports.lines().find_map(|line| line.strip_prefix("export CLUSTER_DIR="));
        let folder = folder.unwrap_or_else(|| panic!("no CLUSTER_DIR in: {exports}")).trim_matches(['"', '\'']);
        let description = fs::read(Path::new(folder).join("cluster.json")).unwrap();
        Self { program, description: serde_json::from_slice(&description).unwrap() }
    }

    /// A command of the tool about this cluster.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.process_group(0);
        command.env("CLUSTER_DIR", self.folder()).env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// The cluster's own folder, which goes with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.description.dir
    }

    /// The administrator's.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.description.kubeconfig
    }

    /// The URL of the API server.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.description.server
    }

    /// The certificate of the authority that the API server's comes from, as PEM.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder().join("pki/ca.crt")
    }

    /// What the API server has written down so far: events of `audit.k8s.io/v1`, in the order in which they were answered.
    ///
    /// # Panics
    /// When a whole line of the log is no JSON.
    #[must_use]
    pub fn audit_events(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.description.audit_log).unwrap();
        // A last line without an end is still being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.command().arg("down").output();
    }
}
