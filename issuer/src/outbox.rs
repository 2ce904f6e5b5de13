//! Audit lines of administration commands, on their way to the trail of the running issuer.
//!
//! A command runs in another process, whose output nobody collects. So it leaves its line in the database, in the
//! transaction of the change where there is one, and the running issuer prints it on its own trail and deletes it. A
//! line is printed by one issuer only, because it is printed under the database's write lock; only an issuer that is
//! killed between printing and committing leaves a line to be printed again.

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use crate::{
    audit::{Audit, Event},
    database::{Database, DatabaseError},
    state::SharedIssuer,
};

/// Lines printed under one lock.
const BATCH: u32 = 64;

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
    loop {
        changes.mark_unchanged();
        if let Err(error) = empty(&issuer, &database).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "audit lines of administration commands wait in the database");
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn empty(issuer: &SharedIssuer, database: &Database) -> Result<(), DatabaseError> {
    loop {
        let printer = SharedIssuer::clone(issuer);
        let printed = database.call(move |connection| print_batch(connection, &printer.audit)).await?;
        if printed < BATCH {
            return Ok(());
        }
    }
}

/// Prints the oldest lines and deletes them; how many there were.
fn print_batch(connection: &mut Connection, audit: &Audit) -> Result<u32, DatabaseError> {
    // Looked at without the write lock first: this runs at every change of the database.
    let any = "SELECT EXISTS (SELECT 1 FROM audit_outbox)";
    if !connection.prepare_cached(any)?.query_row([], |row| row.get::<_, bool>(0))? {
        return Ok(0);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut last = None;
    let mut printed = 0;
    {
        let mut statement =
            transaction.prepare_cached("SELECT id, time, event FROM audit_outbox ORDER BY id LIMIT ?1")?;
        let mut rows = statement.query([BATCH])?;
        while let Some(row) = rows.next()? {
            let (id, time, event): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if let Err(error) = print(audit, &time, &event) {
                tracing::error!(%error, "the audit trail takes no line; it stays in the database");
                break;
            }
            last = Some(id);
            printed += 1;
        }
    }
    if let Some(last) = last {
        transaction.execute("DELETE FROM audit_outbox WHERE id <= ?1", [last])?;
    }
    transaction.commit()?;
    Ok(printed)
}

/// A line that cannot be read goes to the log as it is, and not again.
fn print(audit: &Audit, time: &str, text: &str) -> std::io::Result<()> {
    match (time.parse(), serde_json::from_str(text)) {
        (Ok(at), Ok(event)) => audit.forward(at, &event),
        _ => {
            tracing::error!(time, event = text, "an audit line in the database cannot be read");
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
    };

    use jiff::Timestamp;

    use super::{leave, print_batch};
    use crate::{
        audit::{Action, Audit, Event},
        database::{Database, DatabaseError},
    };

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

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
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

    async fn print_to(database: &Database, out: Box<dyn Write + Send>) -> u32 {
        let audit = Audit::to(out);
        database.call(move |connection| print_batch(connection, &audit)).await.unwrap()
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
    async fn a_line_that_the_trail_does_not_take_is_kept() {
        let (_directory, database) = with_a_line().await;
        assert_eq!(print_to(&database, Box::new(Closed)).await, 0);
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
