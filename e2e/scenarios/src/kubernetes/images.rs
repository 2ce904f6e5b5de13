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

/// The issuer's image whose clock `cluster pod clock` moves, as [`Images::with_clock`] makes it.
pub const WITH_CLOCK: &str = "vouch-issuer:with-clock";

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
            None => Self::tagged(VERSION),
        }
    }

    /// The programs of this build under a tag.
    #[must_use]
    pub fn tagged(tag: &str) -> Self {
        Self::pack(&PROGRAMS.map(|program| (program, format!("{program}:{tag}"))), &[])
    }

    /// The issuer of this build under [`WITH_CLOCK`].
    #[must_use]
    pub fn with_clock() -> Self {
        Self::pack(&[("vouch-issuer", WITH_CLOCK.to_owned())], &["-clock"])
    }

    fn built(folder: &Path) -> Self {
        let archives = PROGRAMS.map(|program| folder.join(format!("{program}.tar")));
        for archive in &archives {
            assert!(archive.exists(), "{} is missing; build it first: make images", archive.display());
        }
        Self { archives: archives.into(), _folder: None }
    }

    fn pack(images: &[(&str, String)], options: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("images-").tempdir().unwrap();
        let pack = |(program, image): &(&str, String)| {
            let archive = folder.path().join(format!("{}.tar", image.replace(':', "-")));
            let mut command = Command::new(vouch_control_plane::program());
            command.arg("image").args(options).args(["-user", NOBODY]).arg(image).arg(&archive);
            command.arg(format!("{}:/{program}", binaries::path(program).display()));
            let _ = Ran::to_the_end(format!("cluster image {image}"), &mut command).succeeded();
            archive
        };
        Self { archives: images.iter().map(pack).collect(), _folder: Some(folder) }
    }

    /// The archives.
    #[must_use]
    pub fn archives(&self) -> &[PathBuf] {
        &self.archives
    }
}
