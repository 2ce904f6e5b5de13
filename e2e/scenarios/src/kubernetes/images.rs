//! The images of the product: those that were built for release, or the programs of this very build in an image each.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{binaries, process::Ran};

/// The tag that the chart expects.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The user of the images.
const NOBODY: &str = "65532";
const PROGRAMS: [&str; 2] = ["vouch-issuer", "vouch-operator"];

/// Archives that a cluster imports.
#[derive(Debug)]
pub struct Images {
    archives: Vec<PathBuf>,
    _folder: Option<TempDir>,
}

impl Images {
    /// Those of `VOUCH_IMAGES`, or of the programs that were built beside this one.
    ///
    /// # Panics
    /// When there are none.
    #[must_use]
    pub fn find() -> Self {
        match env::var_os("VOUCH_IMAGES") {
            Some(folder) => Self::built(Path::new(&folder)),
            None => Self::pack(&[]),
        }
    }

    /// Programs of this build whose clocks [`super::cluster::Cluster::set_clock`] moves.
    #[must_use]
    pub fn with_clocks() -> Self {
        Self::pack(&["-clock"])
    }

    fn built(folder: &Path) -> Self {
        let archives = PROGRAMS.map(|program| folder.join(format!("{program}.tar")));
        for archive in &archives {
            assert!(archive.exists(), "{} is missing; build it first: make images", archive.display());
        }
        Self { archives: archives.into(), _folder: None }
    }

    fn pack(options: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("images-").tempdir().unwrap();
        let archives = PROGRAMS.map(|program| {
            let archive = folder.path().join(format!("{program}.tar"));
            let mut command = Command::new(binaries::cluster());
            command
                .arg("image")
                .args(options)
                .args(["-user", NOBODY])
                .arg(format!("{program}:{VERSION}"))
                .arg(&archive);
            command.arg(format!("{}:/{program}", binaries::path(program).display()));
            let _ = Ran::to_the_end(format!("cluster image {program}"), &mut command).succeeded();
            archive
        });
        Self { archives: archives.into(), _folder: Some(folder) }
    }

    /// The archives.
    #[must_use]
    pub fn archives(&self) -> &[PathBuf] {
        &self.archives
    }
}
