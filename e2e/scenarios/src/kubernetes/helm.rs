//! The chart, as Helm installs it.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::cluster::Cluster;
use crate::{binaries, process::Ran};

/// What Helm calls it.
const NAME: &str = "vouch";

/// The chart of a version.
#[derive(Debug)]
pub struct Chart {
    folder: PathBuf,
    _copy: Option<TempDir>,
}

impl Chart {
    /// The one of this build.
    #[must_use]
    pub fn present() -> Self {
        Self { folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/vouch"), _copy: None }
    }

    /// This one as an earlier version: with the images of that version, and with `changes` taken back. Each is a file, a
    /// text in it, and what was there before.
    ///
    /// # Panics
    /// When a text is not there.
    #[must_use]
    pub fn earlier(version: &str, changes: &[(&str, &str, &str)]) -> Self {
        let copy = tempfile::Builder::new().prefix("chart-").tempdir().unwrap();
        let folder = copy.path().join("vouch");
        let source = Self::present().folder;
        let mut cp = Command::new("cp");
        let _ = Ran::to_the_end("cp".to_owned(), cp.arg("--recursive").args([&source, &folder])).succeeded();
        let present = format!("ersion: {}", env!("CARGO_PKG_VERSION"));
        let versions = [("Chart.yaml", present.as_str(), &*format!("ersion: {version}"))];
        for (file, now, before) in versions.iter().chain(changes) {
            let file = folder.join(file);
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.contains(now), "{} has no {now:?}", file.display());
            fs::write(&file, text.replace(now, before)).unwrap();
        }
        Self { folder, _copy: Some(copy) }
    }
}

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
    pub fn install(&self, chart: &Chart, options: &[&str]) -> Ran {
        self.with_chart("install", chart, &[&["--create-namespace"], options].concat())
    }

    /// The same for a release that is installed.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn upgrade(&self, chart: &Chart, options: &[&str]) -> Ran {
        self.with_chart("upgrade", chart, options)
    }

    fn with_chart(&self, verb: &str, chart: &Chart, options: &[&str]) -> Ran {
        let chart = chart.folder.display().to_string();
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
