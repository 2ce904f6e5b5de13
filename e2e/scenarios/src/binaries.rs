//! Where the programs are that a world is made of.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The folder of `vouch`, `vouch-issuer` and `aws-standin`: `VOUCH_BIN_DIR`, or where cargo put this very program.
///
/// # Panics
/// When the programs are not there.
#[must_use]
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = env::var_os("VOUCH_BIN_DIR").map_or_else(beside_this_program, PathBuf::from);
        for program in ["vouch", "vouch-issuer", "aws-standin"] {
            let path = folder.join(program);
            assert!(path.exists(), "{} is missing; build it first: cargo build --workspace --bins", path.display());
        }
        folder
    })
}

fn beside_this_program() -> PathBuf {
    let program = env::current_exe().expect("this program has a path");
    let folder = program.parent().expect("a file is in a folder");
    if folder.ends_with("deps") { folder.parent().expect("deps is in a folder").to_owned() } else { folder.to_owned() }
}

/// One of them.
#[must_use]
pub fn path(program: &str) -> PathBuf {
    folder().join(program)
}

/// `virtual-key`, which has its own workspace: `VOUCH_VIRTUAL_KEY`, or where the Makefile builds it.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn virtual_key() -> PathBuf {
    let built = || cache().join("virtual-key/debug/virtual-key");
    let path = env::var_os("VOUCH_VIRTUAL_KEY").map_or_else(built, PathBuf::from);
    assert!(path.exists(), "{} is missing; build it first: make virtual-key", path.display());
    path
}

/// Helm: `VOUCH_HELM`.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn helm() -> PathBuf {
    let path = env::var_os("VOUCH_HELM").map(PathBuf::from);
    let path = path.expect("VOUCH_HELM is not set; the Makefile sets it, and installs it: make setup-helm");
    assert!(path.exists(), "{} is missing; install it first: make setup-helm", path.display());
    path
}

/// The folder of the real AWS clients, which are installed when they are missing.
///
/// # Panics
/// When they cannot be installed.
#[must_use]
pub fn aws_clients() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        if let Some(folder) = env::var_os("VOUCH_AWS_CLIENTS") {
            return PathBuf::from(folder);
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../setup/python-clients");
        let output = Command::new(script).output().expect("setup/python-clients runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    })
}

fn cache() -> PathBuf {
    env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .expect("there is a home folder")
        .join("vouch")
}
