//! Audit lines of administration commands, on their way to the trail of the running issuer.
//!
//! A command runs in another process, whose output nobody collects. So it leaves its line in the database, in the
//! transaction of the change where there is one, and the running issuer prints it on its own trail and deletes it.
//!
//! No lock of the database is held while a line is printed: whoever reads the trail may be slow, and must not keep
//! administrators from their work. A line is printed by one issuer only, because only the one that has locked the data
//! directory prints; only an issuer that ends between printing and deleting leaves a line to be printed again.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::Connection;

use crate::{
    audit::{Audit, Event, TrailFault},
    database::{Database, DatabaseError},
    keys::describe,
    state::SharedIssuer,
};

/// Lines read at a time.
const BATCH: usize = 64;

/// Between two looks whether another issuer is still printing, and after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Why lines wait in the database.
#[derive(Debug, thiserror::Error)]
enum OutboxError {
    /// The database cannot be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The data directory cannot be locked.
    #[error("the data directory cannot be locked")]
    Lock(#[source] io::Error),
    /// The trail is over.
    #[error(transparent)]
    Trail(#[from] TrailFault),
}

/// A line that was left.
struct Left {
    id: i64,
    time: String,
    event: String,
}

/// Leaves the line of something that happens at `at`. Inside a transaction it stands or falls with it.
///
/// # Errors
/// When the database does not take it.
pub fn leave(connection: &Connection, at: Timestamp, event: &Event) -> Result<(), rusqlite::Error> {
    let text = serde_json::to_string(event).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection.execute("INSERT INTO audit_outbox (time, event) VALUES (?1, ?2)", [at.to_string(), text])?;
    Ok(())
}

/// Prints what is left there, now and whenever something is, until the process ends.
pub async fn follow(issuer: SharedIssuer, database: Database) {
    let mut changes = database.changes();
    let mut obstacle = Obstacle::default();
    loop {
        changes.mark_unchanged();
        let outcome = empty(&issuer.audit, &database).await;
        if let Some(error) = obstacle.news(&outcome) {
            tracing::error!(error, "audit lines of administration commands wait in the database");
        }
        if outcome.is_err() {
            tokio::time::sleep(PAUSE).await;
        } else if changes.changed().await.is_err() {
            return;
        }
    }
}

/// What is in the way of printing. It is tried every second, and told of when it is not what it was before.
#[derive(Debug, Default)]
struct Obstacle(Option<String>);

impl Obstacle {
    /// The failure, with its causes, unless the last try failed in the same way.
    fn news<T>(&mut self, outcome: &Result<T, OutboxError>) -> Option<&str> {
        let before = std::mem::replace(&mut self.0, outcome.as_ref().err().map(|error| describe(error)));
        self.0.as_deref().filter(|now| before.as_deref() != Some(*now))
    }
}

/// Prints everything that is left there; how many lines that was.
async fn empty(audit: &Audit, database: &Database) -> Result<usize, OutboxError> {
    let mut printed = 0;
    // Looked at without the lock first: this runs at every change of the database.
    while !oldest(database).await?.is_empty() {
        let _turn = turn(database.directory()).await.map_err(OutboxError::Lock)?;
        // Whoever had the lock before may have printed them.
        let lines = oldest(database).await?;
        for line in &lines {
            print(audit, line).await?;
        }
        audit.written().await?;
        delete(database, lines.iter().map(|line| line.id).max()).await?;
        printed += lines.len();
    }
    Ok(printed)
}

/// Waits until no other issuer prints; while the file is open, none does.
async fn turn(directory: &Path) -> io::Result<File> {
    let directory = File::open(directory)?;
    loop {
        match directory.try_lock() {
            Ok(()) => return Ok(directory),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

async fn oldest(database: &Database) -> Result<Vec<Left>, DatabaseError> {
    let read = database.call(|connection| {
        let query = format!("SELECT id, time, event FROM audit_outbox ORDER BY id LIMIT {BATCH}");
        let mut statement = connection.prepare_cached(&query)?;
        let rows =
            statement.query_map([], |row| Ok(Left { id: row.get(0)?, time: row.get(1)?, event: row.get(2)? }))?;
        Ok::<_, DatabaseError>(rows.collect::<Result<_, _>>()?)
    });
    read.await
}

async fn delete(database: &Database, last: Option<i64>) -> Result<(), DatabaseError> {
    let deleted = database.call(move |connection| {
        connection.execute("DELETE FROM audit_outbox WHERE id <= ?1", [last])?;
        Ok::<_, DatabaseError>(())
    });
    deleted.await
}

/// A line that cannot be read goes to the log as it is, and not again.
async fn print(audit: &Audit, line: &Left) -> Result<(), TrailFault> {
    match (line.time.parse(), serde_json::from_str(&line.event)) {
        (Ok(at), Ok(event)) => audit.forward(at, &event).await,
        _ => {
            tracing::error!(line.time, line.event, "an audit line in the database cannot be read");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{
        io::Write,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use jiff::Timestamp;

    use super::{Obstacle, OutboxError, empty, leave};
    use crate::{
        audit::{Action, Audit, Event, TrailFault},
        database::{Database, DatabaseError},
        testing::until,
    };

    #[test]
    fn a_failure_is_told_of_once_until_it_is_another_or_over() {
        let unread = || Err::<(), _>(OutboxError::Trail(TrailFault::Unread));
        let lock = || Err(OutboxError::Lock(std::io::ErrorKind::PermissionDenied.into()));
        let mut obstacle = Obstacle::default();
        let mut told = |outcome| obstacle.news(&outcome).is_some();
        assert!(told(unread()) && !told(unread()));
        assert!(told(lock()) && !told(lock()) && !told(Ok(())) && told(lock()));
    }

    #[derive(Clone, Default)]
    struct Trail(Arc<Mutex<Vec<u8>>>);

    impl Write for Trail {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    async fn with_a_line() -> (tempfile::TempDir, Database) {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::create(&directory.path().join("vouch.db")).unwrap();
        let event = Event { kid: Some("one".to_owned()), ..Event::new(Action::SigningKey) };
        let left = database.call(move |connection| Ok::<_, DatabaseError>(leave(connection, at(), &event)?));
        left.await.unwrap();
        (directory, database)
    }

    fn at() -> Timestamp {
        "2026-11-21T09:00:00.25Z".parse().unwrap()
    }

    async fn print_to(database: &Database, out: Box<dyn Write + Send>) -> usize {
        empty(&Audit::to(out), database).await.unwrap()
    }

    #[tokio::test]
    async fn a_line_is_printed_once_with_the_time_of_the_event() {
        let (_directory, database) = with_a_line().await;
        let trail = Trail::default();
        assert_eq!(print_to(&database, Box::new(trail.clone())).await, 1);
        assert_eq!(print_to(&database, Box::new(trail.clone())).await, 0);
        let line: serde_json::Value = serde_json::from_slice(&trail.0.lock().unwrap()).unwrap();
        assert_eq!((&line["action"], &line["kid"]), (&"signing_key".into(), &"one".into()));
        assert_eq!(line["time"], at().to_string());
    }

    #[tokio::test]
    async fn a_reader_that_has_stopped_keeps_nobody_from_the_database_and_loses_no_line() {
        let (_directory, database) = with_a_line().await;
        let (reader, mut writer) = std::io::pipe().unwrap();
        // Nobody reads, and the pipe is full (pipe(7): 64 KiB).
        writer.write_all(&[b'-'; 65_536]).unwrap();
        let printing = tokio::spawn({
            let database = database.clone();
            async move { empty(&Audit::to(Box::new(writer)), &database).await.unwrap() }
        });
        // As soon as it prints, another process writes at once, and another issuer prints nothing.
        let directory = super::File::open(database.directory()).unwrap();
        until("it prints", async || directory.try_lock().is_err() || directory.unlock().is_err()).await;
        let other = rusqlite::Connection::open(database.path()).unwrap();
        other.busy_timeout(Duration::from_millis(1)).unwrap();
        leave(&other, at(), &Event::new(Action::Disabled)).unwrap();
        let audit = Audit::to(Box::new(std::io::sink()));
        assert!(tokio::time::timeout(Duration::from_millis(100), empty(&audit, &database)).await.is_err());
        assert!(!printing.is_finished());
        let read = std::thread::spawn(move || std::io::read_to_string(reader).unwrap());
        assert_eq!(printing.await.unwrap(), 2);
        assert_eq!(empty(&audit, &database).await.unwrap(), 0);
        assert_eq!(read.join().unwrap().lines().count(), 2);
    }

    #[tokio::test]
    async fn a_line_that_was_not_printed_to_the_end_is_kept() {
        let (_directory, database) = with_a_line().await;
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&[b'-'; 65_536]).unwrap();
        let audit = Audit::to(Box::new(writer));
        assert!(tokio::time::timeout(Duration::from_millis(100), empty(&audit, &database)).await.is_err());
        drop(reader);
        assert_eq!(print_to(&database, Box::new(std::io::sink())).await, 1);
    }

    #[tokio::test]
    async fn a_line_of_a_change_that_did_not_happen_is_not_left() {
        let (_directory, database) = with_a_line().await;
        print_to(&database, Box::new(std::io::sink())).await;
        let undone = database.call(|connection| {
            let transaction = connection.transaction()?;
            leave(&transaction, at(), &Event::new(Action::Disabled))?;
            transaction.rollback()?;
            Ok::<_, DatabaseError>(())
        });
        undone.await.unwrap();
        assert_eq!(print_to(&database, Box::new(std::io::sink())).await, 0);
    }
}
