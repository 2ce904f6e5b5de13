//! Programs that believe another time, by libfaketime: the programs themselves have no such switch.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A clock for several programs that a test moves while they run.
#[derive(Debug)]
pub struct Clock {
    folder: TempDir,
}

impl Clock {
    /// It shows the right time.
    ///
    /// # Panics
    /// When there is no room for a temporary file.
    #[must_use]
    pub fn new() -> Self {
        let clock = Self { folder: tempfile::Builder::new().prefix("clock-").tempdir().unwrap() };
        clock.set_minutes(0);
        clock
    }

    /// Moves it to so many minutes from now.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn set_minutes(&self, minutes: i64) {
        let draft = self.folder.path().join("draft");
        fs::write(&draft, format!("{:+}s\n", minutes * 60)).unwrap();
        fs::rename(&draft, self.file()).unwrap();
    }

    /// What lets a program follow it, timers included.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let follow = [
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
        ];
        follow.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// Lets a command run at an offset from now, such as `-1h` or `+25h`.
///
/// # Panics
/// When libfaketime is not installed.
pub fn shift(command: &mut Command, offset: &str) {
    command.envs(self::offset(offset));
}

/// What lets a program live at an offset from now.
///
/// # Panics
/// When libfaketime is not installed.
#[must_use]
pub fn offset(offset: &str) -> Vec<(String, String)> {
    let live = [
        ("LD_PRELOAD", library().display().to_string()),
        ("FAKETIME", offset.to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    live.map(|(name, value)| (name.to_owned(), value)).into()
}

fn library() -> PathBuf {
    let folder = format!("/usr/lib/{}-linux-gnu/faketime", std::env::consts::ARCH);
    let library = Path::new(&folder).join("libfaketimeMT.so.1");
    assert!(library.exists(), "{} is missing; install the package faketime", library.display());
    library
}
