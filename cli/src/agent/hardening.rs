//! What keeps the memory and the files of the agent, and the memory of whoever asks for a PIN, to their owner.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::Path,
};

use rustix::{
    fs::Mode,
    process::{DumpableBehavior, Resource, Rlimit, Uid},
};

use crate::{
    env,
    error::{Category, Failure},
    file_failure::cannot,
};

/// No core dumps and no tracing by other processes of the same user (`PR_SET_DUMPABLE`, prctl(2)): for every process that
/// holds a PIN, an invite code or a session.
///
/// # Errors
/// When the system refuses; a process that cannot protect its memory asks for no secret.
pub fn protect_memory() -> Result<(), Failure> {
    let refused = |error: rustix::io::Errno| {
        Failure::new(Category::General, format!("the system does not let vouch protect its memory: {error}"))
            .hint("Look for a limit on prctl or setrlimit, such as a seccomp filter.")
    };
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(refused)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused)
}

/// [`protect_memory`], and files for the owner alone.
///
/// # Errors
/// As [`protect_memory`].
pub fn protect_process() -> Result<(), Failure> {
    protect_memory()?;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    Ok(())
}

/// Makes `folder` for its owner alone, or checks that it is so.
///
/// # Errors
/// [`Category::Configuration`] when it belongs to somebody else or others can look inside.
pub fn private_folder(folder: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| cannot("make the folder", folder, &env::VOUCH_RUNTIME_DIR, &error))?;
    let metadata = fs::symlink_metadata(folder)
        .map_err(|error| cannot("look at the folder", folder, &env::VOUCH_RUNTIME_DIR, &error))?;
    judge(folder, metadata.uid(), metadata.mode(), metadata.is_dir(), rustix::process::geteuid())
}

/// Whether [`private_folder`] would take `folder`. One that is missing is fine: it is made when it is needed.
///
/// # Errors
/// As [`private_folder`].
pub fn inspect_folder(folder: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(folder) {
        Ok(found) => judge(folder, found.uid(), found.mode(), found.is_dir(), rustix::process::geteuid()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(cannot("look at the folder", folder, &env::VOUCH_RUNTIME_DIR, &error)),
    }
}

fn judge(folder: &Path, owner: u32, mode: u32, is_folder: bool, own: Uid) -> Result<(), Failure> {
    let path = folder.display();
    if !is_folder {
        return Err(Failure::new(Category::Configuration, format!("{path} is not a folder")));
    }
    if owner != own.as_raw() {
        return Err(Failure::new(Category::Configuration, format!("{path} belongs to another user"))
            .hint("Set VOUCH_RUNTIME_DIR to a folder of yours"));
    }
    if mode & 0o077 != 0 {
        return Err(Failure::new(
            Category::Configuration,
            format!("{path} is open to other users (mode {:04o})", mode & 0o7777),
        )
        .hint(format!("Run: chmod 700 {path}")));
    }
    Ok(())
}

/// Removes the socket an earlier agent left behind. Only the holder of the lock may call this.
///
/// # Errors
/// When something is in its place that is not a socket, or it cannot be removed.
pub fn remove_stale_socket(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is not a socket is in its place")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::{fs::PermissionsExt as _, net::UnixListener};

    use super::*;

    #[test]
    fn a_protected_process_can_be_neither_dumped_nor_traced() {
        protect_memory().unwrap();
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }

    #[test]
    fn a_folder_is_made_for_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("vouch");
        private_folder(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        private_folder(&folder).unwrap();
    }

    #[test]
    fn a_folder_others_can_open_is_refused_with_the_command_that_helps() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let failure = private_folder(parent.path()).unwrap_err();
        assert!(failure.hint.unwrap().starts_with("Run: chmod 700 /"));
    }

    #[test]
    fn a_folder_that_is_missing_is_fine_and_one_that_cannot_be_looked_at_is_not() {
        let parent = tempfile::tempdir().unwrap();
        inspect_folder(&parent.path().join("missing")).unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(inspect_folder(&file.join("vouch")).unwrap_err().category, Category::Configuration);
    }

    #[test]
    fn a_folder_of_another_user_and_a_link_are_refused() {
        let own = rustix::process::geteuid();
        assert!(judge(Path::new("/x"), own.as_raw() + 1, 0o700, true, own).is_err());
        let parent = tempfile::tempdir().unwrap();
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(parent.path(), &link).unwrap();
        assert!(private_folder(&link).is_err());
    }

    #[test]
    fn only_a_socket_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        remove_stale_socket(&path).unwrap();
        drop(UnixListener::bind(&path).unwrap());
        remove_stale_socket(&path).unwrap();
        assert!(!path.exists());
        fs::write(&path, "precious").unwrap();
        assert!(remove_stale_socket(&path).is_err());
        assert!(path.exists());
    }
}
