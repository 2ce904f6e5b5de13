//! The chart, as Helm installs it.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::cluster::Cluster;
use crate::{binaries, process::Ran};

/// What Helm calls it.
const NAME: &str = "vouch";

/// The release of the chart in a cluster.
#[derive(Debug)]
pub struct Release {
    program: PathBuf,
    kubeconfig: PathBuf,
    namespace: String,
    /// Helm's own settings and caches; a person's are none of ours.
    home: TempDir,
}

impl Release {
    /// Not installed yet.
    ///
    /// # Panics
    /// When there is no Helm.
    #[must_use]
    pub fn new(cluster: &Cluster, namespace: &str) -> Self {
        let home = tempfile::Builder::new().prefix("helm-").tempdir().unwrap();
        Self {
            program: binaries::helm(),
            kubeconfig: cluster.kubeconfig().to_owned(),
            namespace: namespace.to_owned(),
            home,
        }
    }

    /// Installs the chart and waits until the operator is ready.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn install(&self, options: &[&str]) -> Ran {
        self.with_chart("install", &[&["--create-namespace"], options].concat())
    }

    /// The same for a release that is installed.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn upgrade(&self, options: &[&str]) -> Ran {
        self.with_chart("upgrade", options)
    }

    fn with_chart(&self, verb: &str, options: &[&str]) -> Ran {
        let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/vouch");
        let chart = chart.display().to_string();
        self.helm(&[&[verb, NAME, &chart, "--wait", "--timeout=3m"], options].concat()).succeeded()
    }

    /// Goes back to an earlier revision and waits until the operator is ready.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn roll_back(&self, revision: u32) -> Ran {
        self.helm(&["rollback", NAME, &revision.to_string(), "--wait", "--timeout=3m"]).succeeded()
    }

    /// Uninstalls it and waits until the operator is gone.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn uninstall(&self) -> Ran {
        self.helm(&["uninstall", NAME, "--wait", "--timeout=3m"]).succeeded()
    }

    /// Runs the chart's own tests.
    #[must_use]
    pub fn test(&self) -> Ran {
        self.helm(&["test", NAME, "--timeout=3m"])
    }

    /// The number of the present revision.
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn revision(&self) -> u32 {
        let status = self.helm(&["status", NAME, "--output=json"]).succeeded().json();
        status["version"].as_u64().and_then(|number| u32::try_from(number).ok()).unwrap()
    }

    /// Runs Helm in the release's namespace.
    #[must_use]
    pub fn helm(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--namespace", &self.namespace]);
        command.process_group(0).env("HOME", self.home.path()).env("KUBECONFIG", &self.kubeconfig);
        Ran::to_the_end(format!("helm {}", arguments.join(" ")), &mut command)
    }
}
