//! One real cluster, and what can happen to it.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use vouch_control_plane::output_with_input;

use super::{audit::Audit, images::Images};
use crate::process::Ran;

/// For everything that Kubernetes does by itself, a lost node included.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster that ends with this process, however that ends.
#[derive(Debug)]
pub struct Cluster(vouch_control_plane::Cluster);

impl Cluster {
    /// Starts one whose nodes have the images.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(nodes: u32, images: &Images) -> Self {
        let mut flags = vec!["-nodes".into(), nodes.to_string().into()];
        for archive in images.archives() {
            flags.extend(["-image".into(), archive.as_os_str().to_owned()]);
        }
        Self(vouch_control_plane::Cluster::up(flags))
    }

    /// Gives every node further images.
    ///
    /// # Panics
    /// When a node does not take them.
    pub fn load(&self, images: &Images) {
        let mut command = self.0.command();
        command.arg("load").args(images.archives());
        let _ = Ran::to_the_end("cluster load".to_owned(), &mut command).succeeded();
    }

    /// Whom `kubectl`, Helm and the plugin talk to.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        self.0.kubeconfig()
    }

    /// Runs a command of the tool, such as `node stop 2`.
    ///
    /// # Panics
    /// When it fails.
    pub fn tool(&self, line: &str) {
        let _ = self.try_tool(line).succeeded();
    }

    /// The same when it may fail.
    #[must_use]
    pub fn try_tool(&self, line: &str) -> Ran {
        let mut command = self.0.command();
        command.args(line.split_whitespace());
        Ran::to_the_end(format!("cluster {line}"), &mut command)
    }

    /// Runs `kubectl` as administrator.
    #[must_use]
    pub fn kubectl(&self, arguments: &[&str]) -> Ran {
        let mut command = self.0.command();
        command.arg("kubectl").args(arguments);
        Ran::to_the_end(format!("kubectl {}", arguments.join(" ")), &mut command)
    }

    /// Runs `kubectl … --filename -` with a manifest on standard input.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn kubectl_with(&self, arguments: &[&str], manifest: &str) -> Ran {
        let mut command = self.0.command();
        command.arg("kubectl").args(arguments).args(["--filename", "-"]);
        Ran::new(format!("kubectl {} -f -", arguments.join(" ")), &output_with_input(&mut command, manifest))
    }

    /// Applies manifests as people do, or insists that they are taken.
    ///
    /// # Panics
    /// When they are refused.
    pub fn apply(&self, manifest: &str) {
        let _ = self.kubectl_with(&["apply"], manifest).succeeded();
    }

    /// An object, or a list of them, when there is one: `get` with what is asked for.
    ///
    /// # Panics
    /// When the API server answers with anything but it or its absence.
    #[must_use]
    pub fn get(&self, what: &[&str]) -> Option<Value> {
        let arguments = [&["get", "--output=json", "--ignore-not-found"], what].concat();
        let ran = self.kubectl(&arguments).succeeded();
        (!ran.stdout.trim().is_empty()).then(|| ran.json())
    }

    /// Waits until `get` gives something with which `test` is content; while there is nothing, or the API server is away,
    /// that is null.
    ///
    /// # Panics
    /// When it does not come to that; the last answer is told.
    pub fn await_object(&self, description: &str, what: &[&str], test: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let object = self.try_get(what).unwrap_or_default();
            if test(&object) {
                return object;
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain for {description}; there is:\n{object:#}");
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn try_get(&self, what: &[&str]) -> Option<Value> {
        let ran = self.kubectl(&[&["get", "--output=json", "--ignore-not-found"], what].concat());
        serde_json::from_str(&ran.stdout).ok()
    }

    /// What the API server has recorded so far.
    #[must_use]
    pub fn audit(&self) -> Audit {
        Audit::of(self.0.audit_events())
    }
}
