//! Why a file could not be used, in words, with what to do about it.

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use rustix::io::Errno;

use crate::{
    env::{self, Variable},
    error::{Category, Failure},
    paths,
};

/// `cannot VERB PATH: WHY`. `variable` names another place for it.
#[must_use]
pub fn cannot(verb: &str, path: &Path, variable: &Variable, error: &io::Error) -> Failure {
    let shown = path.display();
    let barred = matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem);
    if let Some(folder) = barring(path).filter(|_| barred) {
        let (folder, why) = (folder.display(), words(error));
        let message = format!("cannot {verb} {shown}, because nothing can be made in {folder}: {why}");
        return Failure::new(Category::Configuration, message).hint(elsewhere(path, variable));
    }
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => format!("Look whose it and the folders above it are: ls -ld {shown}"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "Make room and try again; nothing was changed".to_owned(),
        _ if is_loop(error) => format!("Follow its symbolic links and put them right: ls -l {shown}"),
        _ => format!("Put that right, or name another place with {}", variable.name),
    };
    Failure::new(Category::Configuration, format!("cannot {verb} {shown}: {}", words(error))).hint(hint)
}

/// The last folder of a path that is there, when what it leads to is not.
fn barring(path: &Path) -> Option<&Path> {
    if path.symlink_metadata().is_ok() {
        return None;
    }
    path.ancestors().skip(1).find(|folder| folder.is_dir())
}

/// Where the file may be instead. Whoever's home folder is not theirs has trouble with more than this file.
fn elsewhere(path: &Path, variable: &Variable) -> String {
    let in_home = paths::in_home(&Variable::get, "").is_ok_and(|home| path.starts_with(home));
    let home =
        if in_home { format!("Set {} to a folder of yours, or name", env::HOME.name) } else { "Name".to_owned() };
    format!("{home} another place with {}", variable.name)
}

fn is_loop(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::LOOP)
}

/// The error as a person says it: without numbers, and without the name of a temporary file.
#[must_use]
pub fn words(error: &io::Error) -> String {
    let known = match error.kind() {
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::StorageFull => "the disk is full",
        ErrorKind::QuotaExceeded => "your disk quota is used up",
        ErrorKind::ReadOnlyFilesystem => "it is on a read-only file system",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::NotADirectory => "a part of its path is no folder",
        _ if is_loop(error) => "its symbolic links lead in a circle",
        ErrorKind::NotFound => "it is not there",
        ErrorKind::InvalidData => "it is not UTF-8 text",
        _ => {
            let text = error.to_string();
            return text.split(" (os error").next().unwrap_or(&text).to_owned();
        }
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::env;

    #[test]
    fn a_full_disk_is_said_in_words_and_names_the_file_and_not_the_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        let temporary = tempfile::Builder::new().tempfile_in(folder.path().join("missing")).unwrap_err();
        assert_eq!(words(&temporary), "it is not there");
        let full = io::Error::from_raw_os_error(28);
        let failure = cannot("write", Path::new("/home/alice/.aws/config"), &env::AWS_CONFIG_FILE, &full);
        let line = "vouch: cannot write /home/alice/.aws/config: the disk is full. Make room and try again; nothing was changed";
        assert_eq!((failure.render(false).as_str(), failure.category), (line, Category::Configuration));
    }

    #[test]
    fn a_home_in_which_nothing_can_be_made_is_named_with_what_to_set() {
        let home = tempfile::tempdir().unwrap();
        let missing = home.path().join(".local/state/vouch/run");
        for (kind, why) in [
            (ErrorKind::PermissionDenied, "permission denied"),
            (ErrorKind::ReadOnlyFilesystem, "it is on a read-only file system"),
        ] {
            let failure = cannot("make the folder", &missing, &env::VOUCH_RUNTIME_DIR, &kind.into());
            let folder = home.path().display();
            let expected = format!(
                "cannot make the folder {folder}/.local/state/vouch/run, because nothing can be made in {folder}: {why}"
            );
            assert_eq!(failure.message, expected);
            assert_eq!(failure.hint.unwrap(), "Name another place with VOUCH_RUNTIME_DIR");
        }
        let below_home = paths::in_home(&Variable::get, ".config/vouch").unwrap();
        let hint = "Set HOME to a folder of yours, or name another place with VOUCH_CONFIG_DIR";
        assert_eq!(elsewhere(&below_home, &env::VOUCH_CONFIG_DIR), hint);
    }

    #[test]
    fn no_error_of_the_system_is_shown_by_its_number() {
        for number in 1..=133 {
            let said = words(&io::Error::from_raw_os_error(number));
            assert!(!said.is_empty() && !said.contains("os error"), "{number}: {said}");
        }
    }

    #[test]
    fn another_place_is_named_by_its_variable() {
        let failure = cannot("read", Path::new("/x"), &env::AWS_CONFIG_FILE, &ErrorKind::IsADirectory.into());
        assert!(
            failure
                .render(false)
                .ends_with("it is a folder. Put that right, or name another place with AWS_CONFIG_FILE")
        );
    }
}
