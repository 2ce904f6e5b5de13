//! Why a database cannot be used, in words that say which file it is and what to do.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use rusqlite::ErrorCode;

use super::schema::SCHEMA_VERSION;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// There is no file.
    #[error("there is no database at {}", .0.display())]
    Missing(PathBuf),
    /// `create` found a file.
    #[error("{} exists already and is left as it is; move it away to begin with an empty database", .0.display())]
    Exists(PathBuf),
    /// Not made by this product.
    #[error("{} is not a database of the issuer; check the path", .0.display())]
    Foreign(PathBuf),
    /// Made by a later release.
    #[error("{} has schema {found}, this release knows up to {SCHEMA_VERSION}; run the release that wrote it, or a later one, or restore a backup made before", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i32,
    },
    /// SQLite finds it damaged.
    #[error("{} is damaged ({reason}); restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first finding.
        reason: String,
    },
    /// Users outside the file's owner and group may read it.
    #[error("{} has mode {mode:o}, and it holds private keys; run `chmod 600` on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Its name is gone, or names another file, while it is open: what is written now, nobody finds again.
    #[error("{} was removed or replaced while the issuer uses it; put it back, or restart the issuer", .0.display())]
    Displaced(PathBuf),
    /// The file can only be read, and every command may have to write.
    #[error("{} cannot be written by this user; run the command as the user who made it", .0.display())]
    ReadOnly(PathBuf),
    /// It was made for an issuer with another URL.
    #[error(
        "{} belongs to the issuer {recorded}, and spec.url is {declared}; the URL never changes, so put it back, or name \
         another database with --data-dir",
        path.display()
    )]
    OtherIssuer {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        recorded: String,
        /// Who would like to have it.
        declared: String,
    },
    /// Something on the way to the file is no directory.
    #[error("{} is not a directory; name one with --data-dir", .0.display())]
    NoDirectory(PathBuf),
    /// The system lets this user do nothing there.
    #[error(
        "this user may not read and write {}; name another directory with --data-dir, or run the command as the user to whom it belongs",
        .0.display()
    )]
    Forbidden(PathBuf),
    /// SQLite cannot work with the file as it lies there.
    #[error("{} cannot be used: {}", path.display(), advice(source))]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// The file or its directory cannot be made, read or written.
    #[error("{} cannot be made, read or written; remove the cause, or name another directory with --data-dir", path.display())]
    Io {
        /// The file or the directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A statement failed.
    #[error("the database refused a statement")]
    Sqlite(#[from] rusqlite::Error),
    /// The work was abandoned because the process is stopping, or it panicked.
    #[error("the database work did not finish")]
    Abandoned(#[source] tokio::task::JoinError),
}

impl DatabaseError {
    /// What the system says of a file or directory.
    #[must_use]
    pub fn of_path(path: &Path, source: std::io::Error) -> Self {
        match source.kind() {
            ErrorKind::PermissionDenied => Self::Forbidden(path.to_owned()),
            ErrorKind::NotADirectory => {
                let file = path.ancestors().find(|ancestor| ancestor.is_file());
                Self::NoDirectory(file.unwrap_or(path).to_owned())
            }
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
    /// What SQLite says of a file while it is made or opened.
    pub(super) fn of_file(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign(path),
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, reason: source.to_string() },
            _ => Self::Unusable { path, source },
        }
    }
}

/// What can be done about it.
fn advice(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "this user must be able to write it and its directory"
        }
        Some(ErrorCode::DiskFull) => "there is no room left on its disk; make some",
        Some(ErrorCode::SystemIoFailure) => "its disk is full or fails; make room, or look at the system's log",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another process holds it; try again",
        _ => "SQLite refuses it",
    }
}
