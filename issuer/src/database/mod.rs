//! The embedded database of an issuer that runs alone: one SQLite file for people, signing keys and the root secret.
//!
//! It never creates a file on the way to opening one, and it never repairs one: a missing, foreign, newer or damaged
//! file is an error that a person must look at, because an issuer that silently starts afresh has lost its keys.

mod error;
mod file;
mod owner;
mod schema;
#[cfg(test)]
mod tests;
mod watching;

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use rusqlite::Connection;
use tokio::sync::watch;

pub use self::error::DatabaseError;
use self::{
    file::{Place, connect, directory_of, draft_path, write_draft},
    schema::{check_contents, configure, migrate},
    watching::{data_version, watch_others},
};

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
        let place = Place::find(path)?;
        let of_file = |error| DatabaseError::of_file(path, error);
        let mut connection = connect(path)?;
        check_contents(path, &connection)?;
        configure(&connection).map_err(of_file)?;
        migrate(&mut connection).map_err(of_file)?;
        let (changes, _) = watch::channel(0);
        let (alive, ended) = mpsc::channel();
        let watcher = connect(path)?;
        // Not asked by the thread, which may start late: a write right after opening must be noticed, too.
        let seen = data_version(&watcher).map_err(of_file)?;
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

    /// Rises after every write: at once for writes through this handle, within a fifth of a second for those of others, and
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

    /// Where the file is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        directory_of(self.path())
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.shared.place.path).finish_non_exhaustive()
    }
}
