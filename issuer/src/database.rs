//! The embedded database of an issuer that runs alone: one SQLite file for people, signing keys and the root secret.
//!
//! It never creates a file on the way to opening one, and it never repairs one: a missing, foreign, newer or damaged
//! file is an error that a person must look at, because an issuer that silently starts afresh has lost its keys.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use tokio::sync::watch;

/// `application_id` of the file's header: "VOUC".
const APPLICATION_ID: i32 = 0x564F_5543;

/// `user_version` of a database that every step of [`SCHEMA`] has been applied to.
const SCHEMA_VERSION: i32 = 2;

/// How long a statement waits for another process to finish its write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often writes of other processes are looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// What leads from each schema version to the next, from an empty file on. `record` is a JSON `UserRecord`; `credentials`
/// and `invites` are its indexes and change in the same transaction. `audit_outbox` holds lines of the audit trail that
/// administration commands leave for the running issuer.
const SCHEMA: [&str; SCHEMA_VERSION as usize] = [
    "
CREATE TABLE users (
    id      TEXT PRIMARY KEY,
    email   TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    record  TEXT NOT NULL
) STRICT;
CREATE TABLE credentials (
    credential_id TEXT PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES users (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX credentials_by_user ON credentials (user_id);
CREATE TABLE invites (
    hash    TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX invites_by_user ON invites (user_id);
CREATE TABLE keyring (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    document BLOB NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
",
    "
CREATE TABLE audit_outbox (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    time  TEXT NOT NULL,
    event TEXT NOT NULL
) STRICT;
",
];

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// There is no file.
    #[error("there is no database at {}; create one with `vouch-issuer init`, or restore it from a backup", .0.display())]
    Missing(PathBuf),
    /// `create` found a file.
    #[error("{} exists already and is left as it is; move it away to begin with an empty database", .0.display())]
    Exists(PathBuf),
    /// Not made by this product.
    #[error("{} is not a database of the issuer; check the path", .0.display())]
    Foreign(PathBuf),
    /// Made by a later release.
    #[error("{} has schema {found}, this release knows up to {SCHEMA_VERSION}; run the release that wrote it, or a later one", path.display())]
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
    /// The file cannot be made, read or written.
    #[error("{} cannot be used", path.display())]
    Io {
        /// The file.
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

/// A handle on the open file. Clones share one connection.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    place: Place,
    connection: Mutex<Connection>,
    changes: watch::Sender<u64>,
    /// Ends the watching thread when it is dropped.
    _alive: mpsc::Sender<()>,
}

impl Database {
    /// Makes a new file with an empty schema, readable by its owner only, and opens it. It appears under its name
    /// only when it is complete, and never replaces a file.
    ///
    /// # Errors
    /// [`DatabaseError::Exists`] when there is a file; `Io` and `Sqlite` when it cannot be written.
    pub fn create(path: &Path) -> Result<Self, DatabaseError> {
        if path.exists() {
            return Err(DatabaseError::Exists(path.to_owned()));
        }
        let draft = draft_path(path);
        let made = write_draft(&draft).and_then(|()| match std::fs::hard_link(&draft, path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(DatabaseError::Exists(path.to_owned()))
            }
            Err(source) => Err(DatabaseError::Io { path: path.to_owned(), source }),
        });
        // The draft is another name of the same file, or what is left of a failure; either way nobody needs it.
        let _ = std::fs::remove_file(&draft);
        made?;
        Self::open(path)
    }

    /// Opens an existing file, and brings the schema of an earlier release up to date.
    ///
    /// # Errors
    /// Every case of [`DatabaseError`] that concerns a file as found; nothing is written then.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let place = Place { file: FileId::of(&check_file(path)?), path: path.to_owned() };
        let mut connection = connect(path)?;
        check_contents(path, &connection)?;
        configure(&connection)?;
        migrate(&mut connection)?;
        let (changes, _) = watch::channel(0);
        let (alive, ended) = mpsc::channel();
        let watcher = connect(path)?;
        // Not asked by the thread, which may start late: a write right after opening must be noticed, too.
        let seen = data_version(&watcher)?;
        let (thread_changes, thread_place) = (changes.clone(), place.clone());
        std::thread::Builder::new()
            .name("database-watch".to_owned())
            .spawn(move || watch_others(&watcher, seen, &thread_place, &thread_changes, &ended))
            .map_err(|source| DatabaseError::Io { path: path.to_owned(), source })?;
        let shared = Shared { place, connection: Mutex::new(connection), changes, _alive: alive };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Runs `work` with the connection on the blocking pool. The work runs to its end even when the caller is gone.
    ///
    /// # Errors
    /// What `work` answers; [`DatabaseError::Abandoned`] when it panicked or the runtime stops.
    pub async fn call<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || {
            let mut connection = shared.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let before = connection.total_changes();
            let outcome = work(&mut connection);
            if connection.total_changes() != before {
                shared.changes.send_modify(|count| *count = count.wrapping_add(1));
            }
            outcome
        });
        done.await.map_err(DatabaseError::Abandoned)?
    }

    /// Rises after every write: at once for writes through this handle, within [`POLL_INTERVAL`] for those of others, and
    /// when the file is removed, replaced or put back.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Moves everything committed into the file itself, so that a copy of this one file is complete. `false`: another
    /// process was reading or writing all the time, and its `-wal` file still belongs to a copy.
    ///
    /// # Errors
    /// [`DatabaseError::Sqlite`] when the file cannot be written; nothing is lost then.
    pub async fn checkpoint(&self) -> Result<bool, DatabaseError> {
        self.call(|connection| {
            let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))?;
            Ok(busy == 0)
        })
        .await
    }

    /// Whether the file is still where it was opened. SQLite goes on with a file that has lost its name.
    ///
    /// # Errors
    /// [`DatabaseError::Displaced`].
    pub fn in_place(&self) -> Result<(), DatabaseError> {
        self.shared.place.check()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.place.path
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.shared.place.path).finish_non_exhaustive()
    }
}

/// Which file was opened, and by what name.
#[derive(Clone)]
struct Place {
    path: PathBuf,
    file: FileId,
}

impl Place {
    fn check(&self) -> Result<(), DatabaseError> {
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

/// Beside the file, so that both are on one file system.
fn draft_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().map_or_else(std::ffi::OsString::new, ToOwned::to_owned);
    name.push(format!(".init-{}", std::process::id()));
    path.with_file_name(name)
}

fn write_draft(draft: &Path) -> Result<(), DatabaseError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(draft).map_err(|source| DatabaseError::Io { path: draft.to_owned(), source })?;
    let connection = connect(draft)?;
    connection.execute_batch(&format!(
        "PRAGMA synchronous = FULL; BEGIN; {}
         PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;",
        SCHEMA.concat()
    ))?;
    connection.close().map_err(|(_, error)| DatabaseError::Sqlite(error))
}

fn connect(path: &Path) -> Result<Connection, DatabaseError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

fn check_file(path: &Path) -> Result<std::fs::Metadata, DatabaseError> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Err(DatabaseError::Foreign(path.to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(DatabaseError::Missing(path.to_owned()));
        }
        Err(source) => return Err(DatabaseError::Io { path: path.to_owned(), source }),
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

fn check_contents(path: &Path, connection: &Connection) -> Result<(), DatabaseError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application = match pragma("application_id") {
        Ok(application) => application,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Err(DatabaseError::Foreign(path.to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    if application != APPLICATION_ID {
        return Err(DatabaseError::Foreign(path.to_owned()));
    }
    let found = pragma("user_version")?;
    if found > SCHEMA_VERSION {
        return Err(DatabaseError::Newer { path: path.to_owned(), found });
    }
    let damaged = |reason: String| DatabaseError::Damaged { path: path.to_owned(), reason };
    if found < 1 {
        return Err(damaged(format!("its schema version is {found}")));
    }
    match connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)) {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(finding) => Err(damaged(finding)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Err(damaged(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// A commit is on disk when it is reported (`synchronous`), and what was deleted is overwritten (`secure_delete`).
fn configure(connection: &Connection) -> Result<(), DatabaseError> {
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;",
    )?;
    Ok(())
}

/// Takes the steps that the file lacks, all or none. Of several processes that open it one does; the others wait.
fn migrate(connection: &mut Connection) -> Result<(), DatabaseError> {
    let version = |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get(0));
    let found: i32 = version(connection)?;
    if found >= SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i32 = version(&transaction)?;
    for step in SCHEMA.iter().skip(usize::try_from(found).unwrap_or_default()) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION.max(found))?;
    transaction.commit()?;
    Ok(())
}

/// `data_version` of a connection differs when any other connection, in any process, has committed since it was last
/// asked (SQLite documentation, `PRAGMA data_version`).
fn data_version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}

/// Tells of what other connections have written, until the handle is dropped.
///
/// A file that lost its name is a change, too: what others remember of it must be asked for again, and is refused then.
fn watch_others(
    connection: &Connection,
    mut seen: i64,
    place: &Place,
    changes: &watch::Sender<u64>,
    ended: &mpsc::Receiver<()>,
) {
    let mut in_place = true;
    while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(POLL_INTERVAL) {
        let was_in_place = std::mem::replace(&mut in_place, place.check().is_ok());
        let written = match data_version(connection) {
            Ok(version) => std::mem::replace(&mut seen, version) != version,
            Err(error) => {
                tracing::warn!(%error, "cannot look for changes of the database");
                false
            }
        };
        if written || in_place != was_in_place {
            changes.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

#[cfg(test)]
#[path = "database_tests.rs"]
mod tests;
