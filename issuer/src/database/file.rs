//! The file itself: making it, opening it, and knowing it again.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{error::DatabaseError, schema};

/// How long a statement waits for another process to finish its write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Which file was opened, and by what name.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    file: FileId,
}

impl Place {
    /// Takes note of a file that is about to be opened.
    ///
    /// # Errors
    /// When there is none, or others may read it.
    pub(super) fn find(path: &Path) -> Result<Self, DatabaseError> {
        Ok(Self { file: FileId::of(&check_file(path)?), path: path.to_owned() })
    }

    /// That the name still leads to the file.
    pub(super) fn check(&self) -> Result<(), DatabaseError> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) if FileId::of(&metadata) == self.file => Ok(()),
            _ => Err(DatabaseError::Displaced(self.path.clone())),
        }
    }
}

/// What tells one file from another under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
}

impl FileId {
    fn of(metadata: &std::fs::Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        #[cfg(not(unix))]
        let _ = metadata;
        Self {
            #[cfg(unix)]
            device_and_inode: (metadata.dev(), metadata.ino()),
        }
    }
}

/// The directory that holds a file: the one of the process for a bare name.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Beside the file, so that both are on one file system.
pub(super) fn draft_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().map_or_else(std::ffi::OsString::new, ToOwned::to_owned);
    name.push(format!(".init-{}", std::process::id()));
    path.with_file_name(name)
}

/// A new file with an empty schema, for its owner alone.
pub(super) fn write_draft(draft: &Path) -> Result<(), DatabaseError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(draft).map_err(|source| DatabaseError::of_path(directory_of(draft), source))?;
    let of_file = |error| DatabaseError::of_file(draft, error);
    let connection = connect(draft)?;
    schema::create(&connection).map_err(of_file)?;
    connection.close().map_err(|(_, error)| of_file(error))
}

/// Opens an existing file to read and write.
pub(super) fn connect(path: &Path) -> Result<Connection, DatabaseError> {
    let of_file = |error| DatabaseError::of_file(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(of_file)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(of_file)?;
    check_writable(path, &connection)?;
    Ok(connection)
}

/// SQLite opens a file that it may not write all the same, and would only say so at the first login.
pub(super) fn check_writable(path: &Path, connection: &Connection) -> Result<(), DatabaseError> {
    match connection.is_readonly(rusqlite::MAIN_DB) {
        Ok(false) => Ok(()),
        Ok(true) => Err(DatabaseError::ReadOnly(path.to_owned())),
        Err(error) => Err(DatabaseError::of_file(path, error)),
    }
}

fn check_file(path: &Path) -> Result<std::fs::Metadata, DatabaseError> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Err(DatabaseError::Foreign(path.to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(DatabaseError::Missing(path.to_owned()));
        }
        Err(source) => return Err(DatabaseError::of_path(path, source)),
    };
    #[cfg(unix)]
    {
        // Group access is left alone: volumes with an `fsGroup` have it, and their group is the pod's own.
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o007 != 0 {
            return Err(DatabaseError::Exposed { path: path.to_owned(), mode });
        }
    }
    Ok(metadata)
}
