//! The file on disk: where it is, reading it, and replacing it in one step.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use similar::TextDiff;

use super::document::{self, Document};
use crate::{
    atomic_file,
    env::{self, Variable},
    error::{Category, Failure},
    file_failure::cannot,
    paths::{self, Lookup},
};

/// Where the AWS tools look for profiles.
///
/// # Errors
/// When there is no home folder.
pub fn config_path(lookup: Lookup<'_>) -> Result<PathBuf, Failure> {
    located(lookup, &env::AWS_CONFIG_FILE, ".aws/config")
}

/// Where the AWS tools look for static keys.
///
/// # Errors
/// When there is no home folder.
pub fn credentials_path(lookup: Lookup<'_>) -> Result<PathBuf, Failure> {
    located(lookup, &env::AWS_SHARED_CREDENTIALS_FILE, ".aws/credentials")
}

/// The variable's path, in which the AWS tools expand a leading `~/`.
fn located(lookup: Lookup<'_>, variable: &Variable, default: &str) -> Result<PathBuf, Failure> {
    let Some(given) = lookup(variable).map(PathBuf::from) else { return paths::in_home(lookup, default) };
    match given.strip_prefix("~").ok().and_then(Path::to_str) {
        Some(rest) => paths::in_home(lookup, rest),
        None => Ok(given),
    }
}

/// Reads the file; a missing one is empty.
///
/// # Errors
/// [`Category::Configuration`] when it cannot be read, or our blocks in it are damaged.
pub fn read(path: &Path) -> Result<Document, Failure> {
    let bytes = read_bytes(path)?;
    Document::parse(bytes).map_err(|damage| {
        Failure::new(Category::Configuration, format!("{}: {damage}", path.display()))
            .hint("Correct or delete that block by hand, and try again")
    })
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(cannot("read", path, &env::AWS_CONFIG_FILE, &error)),
    }
}

/// Whether the credentials file has static keys for a profile. One that cannot be read has none that a tool could use.
#[must_use]
pub fn has_static_keys(lookup: Lookup<'_>, profile: &str) -> bool {
    let bytes = credentials_path(lookup).and_then(|path| read_bytes(&path)).unwrap_or_default();
    document::has_static_keys(&bytes, profile)
}

/// Keeps other vouch commands from changing the file meanwhile.
///
/// # Errors
/// [`Category::Configuration`] when the lock file cannot be made.
pub fn lock() -> Result<File, Failure> {
    let folder = paths::config_dir(&Variable::get)?;
    let path = folder.join("aws-config.lock");
    let locked =
        fs::create_dir_all(&folder).and_then(|()| File::create(&path)).and_then(|file| file.lock().map(|()| file));
    locked.map_err(|error| cannot("lock", &path, &env::VOUCH_CONFIG_DIR, &error))
}

/// Replaces the file with `bytes`, if it is still as it was read.
///
/// # Errors
/// [`Category::Configuration`] when another program changed it meanwhile, or it cannot be written.
pub fn replace(path: &Path, read: &[u8], bytes: &[u8]) -> Result<(), Failure> {
    if read_bytes(path)? != read {
        let message = format!("{} was changed by another program just now; nothing was written", path.display());
        return Err(Failure::new(Category::Configuration, message).hint("Try again"));
    }
    atomic_file::replace(path, bytes, 0o600).map_err(|error| cannot("write", path, &env::AWS_CONFIG_FILE, &error))
}

/// A unified diff, empty when nothing changes.
#[must_use]
pub fn diff(path: &str, before: &[u8], after: &[u8]) -> String {
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    TextDiff::from_lines(&*before, &*after).unified_diff().context_radius(3).header(path, path).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_variable_wins_and_its_tilde_is_expanded() {
        let home = |variable: &Variable| (variable.name == "HOME").then(|| "/home/alice".into());
        assert_eq!(config_path(&home).unwrap(), Path::new("/home/alice/.aws/config"));
        let with = |value: &'static str| {
            move |variable: &Variable| match variable.name {
                "HOME" => Some("/home/alice".into()),
                "AWS_CONFIG_FILE" => Some(value.into()),
                _ => None,
            }
        };
        assert_eq!(config_path(&with("~/aws.ini")).unwrap(), Path::new("/home/alice/aws.ini"));
        assert_eq!(config_path(&with("/etc/aws.ini")).unwrap(), Path::new("/etc/aws.ini"));
    }

    #[test]
    fn a_change_by_somebody_else_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, "theirs").unwrap();
        assert!(replace(&path, b"read before", b"ours").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        replace(&path, b"theirs", b"ours").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"ours");
    }

    #[test]
    fn a_diff_shows_what_would_be_written() {
        let diff = diff("~/.aws/config", b"[default]\n", b"[default]\n\n[profile vouch]\n");
        assert_eq!(diff, "--- ~/.aws/config\n+++ ~/.aws/config\n@@ -1 +1,3 @@\n [default]\n+\n+[profile vouch]\n");
    }
}
