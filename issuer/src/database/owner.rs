//! Whose database it is.
//!
//! The URL of an issuer is in every token, in the providers of AWS and, by its host, in every security key. A database that
//! serves under another URL serves nobody, so it remembers its own, and only an explicit order changes it.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::{Database, DatabaseError};

impl Database {
    /// Writes down whose it is, unless that is known. One that was made before it remembered does not know it.
    ///
    /// # Errors
    /// [`DatabaseError::OtherIssuer`] when it is another's; nothing is written then.
    pub async fn claim(&self, url: &str) -> Result<(), DatabaseError> {
        let declared = url.to_owned();
        self.call(move |connection| {
            connection
                .execute("INSERT INTO issuer (id, url) VALUES (1, ?1) ON CONFLICT (id) DO NOTHING", [declared])?;
            Ok::<_, DatabaseError>(())
        })
        .await?;
        self.check_owner(url).await
    }

    /// That it is this issuer's, or that nobody has claimed it.
    ///
    /// # Errors
    /// [`DatabaseError::OtherIssuer`].
    pub async fn check_owner(&self, url: &str) -> Result<(), DatabaseError> {
        match self.call(|connection| owner(connection)).await? {
            Some(recorded) if recorded != url => {
                Err(DatabaseError::OtherIssuer { path: self.path().to_owned(), recorded, declared: url.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Gives it to the issuer with this URL, and answers whose it was.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn give_to(&self, url: &str) -> Result<Option<String>, DatabaseError> {
        let url = url.to_owned();
        self.call(move |connection| {
            // It reads before it writes: SQLite waits for another writer only at the beginning of a transaction.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let before = owner(&transaction)?;
            transaction.execute("INSERT OR REPLACE INTO issuer (id, url) VALUES (1, ?1)", [url])?;
            transaction.commit()?;
            Ok(before)
        })
        .await
    }
}

fn owner(connection: &Connection) -> Result<Option<String>, DatabaseError> {
    Ok(connection.query_row("SELECT url FROM issuer", [], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use rusqlite::{Connection, TransactionBehavior};

    use super::{Database, DatabaseError};

    #[tokio::test]
    async fn a_database_is_given_away_as_soon_as_another_process_has_written() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::create(&directory.path().join("vouch.db")).unwrap();
        let mut other = Connection::open(database.path()).unwrap();
        let writing = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let mut giving = std::pin::pin!(database.give_to("https://b.example.com"));
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut giving).await.is_err());
        writing.commit().unwrap();
        assert_eq!(giving.await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_database_belongs_to_the_first_that_claims_it_until_it_is_given_away() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::create(&directory.path().join("vouch.db")).unwrap();
        database.check_owner("https://any.example.com").await.unwrap();
        for _ in 0..2 {
            database.claim("https://vouch.example.com").await.unwrap();
        }
        for refused in
            [database.claim("https://b.example.com").await, database.check_owner("https://b.example.com").await]
        {
            let error = refused.unwrap_err();
            assert!(matches!(error, DatabaseError::OtherIssuer { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("https://vouch.example.com") && text.contains("--data-dir"), "{text}");
        }
        let before = database.give_to("https://b.example.com").await.unwrap();
        assert_eq!(before.as_deref(), Some("https://vouch.example.com"));
        database.claim("https://b.example.com").await.unwrap();
    }
}
