//! People and their keys in the embedded database: the store of an issuer that runs alone.
//!
//! A record is one row; its credentials and its invite are indexed beside it in the same transaction, so a crash at
//! any point leaves the record and its indexes as they were or as they should be.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};
use tokio::sync::watch;
use uuid::Uuid;
use vouch_iam::identity::EmailAddress;

use super::{
    Everybody, Store, StoreError, Stored, Version,
    record::{CredentialId, InviteHash, UserId, UserRecord},
};
use crate::{
    audit::Event,
    database::{Database, DatabaseError},
    outbox,
};

const BY_ID: &str = "SELECT id, email, version, record FROM users WHERE id = ?1";
const BY_EMAIL: &str = "SELECT id, email, version, record FROM users WHERE email = ?1";
const BY_CREDENTIAL: &str = "SELECT users.id, email, version, record FROM users
     JOIN credentials ON credentials.user_id = users.id WHERE credential_id = ?1";
const BY_INVITE: &str = "SELECT users.id, email, version, record FROM users
     JOIN invites ON invites.user_id = users.id WHERE hash = ?1";
const EVERYBODY: &str = "SELECT id, email, version, record FROM users ORDER BY email";

/// [`Store`] on a [`Database`].
#[derive(Debug, Clone)]
pub struct SqliteStore {
    database: Database,
}

impl SqliteStore {
    /// On an open database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// [`Store::replace`], which also leaves an audit line for the running issuer; both or neither.
    ///
    /// # Errors
    /// Those of [`Store::replace`].
    pub async fn replace_and_tell(
        &self,
        current: &Stored,
        next: &UserRecord,
        told: Option<(Timestamp, Event)>,
    ) -> Result<Stored, StoreError> {
        current.same_person(next)?;
        self.database.in_place()?;
        let (expected, user) = (current.version.clone(), next.clone());
        self.database
            .call(move |connection| {
                let transaction = begin(connection)?;
                let version = transaction
                    .query_row("SELECT version FROM users WHERE id = ?1", [user.id.0.to_string()], |row| row.get(0))
                    .optional()?
                    .ok_or(StoreError::Missing)?;
                if expected != version_text(version) {
                    return Err(StoreError::Conflict);
                }
                let version = version.wrapping_add(1);
                write(&transaction, &user, version)?;
                if let Some((at, event)) = &told {
                    outbox::leave(&transaction, *at, event)?;
                }
                transaction.commit()?;
                Ok(Stored { user, version: version_text(version) })
            })
            .await
    }

    /// A database that was replaced is not read: what was written to the new one (somebody is disabled) would be missed.
    async fn find(&self, sql: &'static str, key: String) -> Result<Option<Stored>, StoreError> {
        self.database.in_place()?;
        self.database
            .call(move |connection| {
                let row = connection.prepare_cached(sql)?.query_row([key], RawUser::read).optional()?;
                row.map(RawUser::parse).transpose()
            })
            .await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn user(&self, id: UserId) -> Result<Option<Stored>, StoreError> {
        self.find(BY_ID, id.0.to_string()).await
    }

    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<Stored>, StoreError> {
        self.find(BY_EMAIL, email.to_string()).await
    }

    async fn user_by_credential(&self, credential: &CredentialId) -> Result<Option<Stored>, StoreError> {
        self.find(BY_CREDENTIAL, credential.0.clone()).await
    }

    async fn user_by_invite(&self, invite: &InviteHash) -> Result<Option<Stored>, StoreError> {
        self.find(BY_INVITE, invite.0.clone()).await
    }

    async fn users(&self) -> Result<Everybody, StoreError> {
        self.database.in_place()?;
        self.database
            .call(|connection| {
                let mut statement = connection.prepare_cached(EVERYBODY)?;
                let rows = statement.query_map([], RawUser::read)?;
                Everybody::of(rows.map(|row| row?.parse()))
            })
            .await
    }

    async fn create(&self, user: &UserRecord) -> Result<Stored, StoreError> {
        self.database.in_place()?;
        let user = user.clone();
        self.database
            .call(move |connection| {
                let transaction = begin(connection)?;
                if exists(&transaction, "SELECT 1 FROM users WHERE id = ?1", &user.id.0.to_string())? {
                    return Err(StoreError::Taken("the user id"));
                }
                write(&transaction, &user, 1)?;
                transaction.commit()?;
                Ok(Stored { user, version: Version(1.to_string()) })
            })
            .await
    }

    async fn replace(&self, current: &Stored, next: &UserRecord) -> Result<Stored, StoreError> {
        self.replace_and_tell(current, next, None).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.database.changes()
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.database.in_place()?;
        self.database
            .call(|connection| {
                connection
                    .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM users LIMIT 1)")?
                    .query_row([], |_| Ok(()))?;
                Ok(())
            })
            .await
    }
}

fn version_text(version: i64) -> Version {
    Version(version.to_string())
}

/// Takes the write lock at once, so that what is read before the write cannot change in between.
fn begin(connection: &mut Connection) -> Result<Transaction<'_>, rusqlite::Error> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn exists(transaction: &Transaction<'_>, sql: &str, key: &str) -> Result<bool, rusqlite::Error> {
    transaction.prepare_cached(sql)?.exists([key])
}

/// Writes the record and its index rows; refuses what belongs to another record.
fn write(transaction: &Transaction<'_>, user: &UserRecord, version: i64) -> Result<(), StoreError> {
    let id = user.id.0.to_string();
    let record = serde_json::to_string(user).map_err(|error| corrupt(user.email.as_str(), &error))?;
    let foreign = |sql: &str, key: &str| transaction.prepare_cached(sql)?.exists([key, &id]);
    if foreign("SELECT 1 FROM users WHERE email = ?1 AND id <> ?2", user.email.as_str())? {
        return Err(StoreError::Taken("the e-mail address"));
    }
    transaction.execute(
        "INSERT INTO users (id, email, version, record) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET email = excluded.email, version = excluded.version, record = excluded.record",
        params![id, user.email.as_str(), version, record],
    )?;
    transaction.execute("DELETE FROM credentials WHERE user_id = ?1", [&id])?;
    for key in &user.keys {
        let credential = &key.credential_id.0;
        if exists(transaction, "SELECT 1 FROM credentials WHERE credential_id = ?1", credential)? {
            return Err(StoreError::Taken("the credential id"));
        }
        transaction.execute("INSERT INTO credentials (credential_id, user_id) VALUES (?1, ?2)", [credential, &id])?;
    }
    transaction.execute("DELETE FROM invites WHERE user_id = ?1", [&id])?;
    if let Some(invite) = &user.invite {
        let hash = &invite.hash.0;
        if exists(transaction, "SELECT 1 FROM invites WHERE hash = ?1", hash)? {
            return Err(StoreError::Taken("the invite"));
        }
        transaction.execute("INSERT INTO invites (hash, user_id) VALUES (?1, ?2)", [hash, &id])?;
    }
    Ok(())
}

/// A row before it is believed.
struct RawUser {
    id: String,
    email: String,
    version: i64,
    record: String,
}

impl RawUser {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self { id: row.get(0)?, email: row.get(1)?, version: row.get(2)?, record: row.get(3)? })
    }

    /// A record that contradicts the columns it was found by is as unreadable as one that is no JSON.
    fn parse(self) -> Result<Stored, StoreError> {
        let user: UserRecord = serde_json::from_str(&self.record).map_err(|error| corrupt(&self.email, &error))?;
        if Uuid::parse_str(&self.id) != Ok(user.id.0) || user.email.as_str() != self.email {
            return Err(corrupt(&self.email, &"it belongs to another id or e-mail address"));
        }
        Ok(Stored { user, version: version_text(self.version) })
    }
}

fn corrupt(email: &str, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt { what: email.to_owned(), reason: reason.to_string() }
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use async_trait::async_trait;

    use super::SqliteStore;
    use crate::{
        database::{Database, DatabaseError},
        store::{
            Store, StoreError,
            conformance::{Subject, person},
            record::UserId,
        },
    };

    /// A database file, opened as often as it is asked for.
    pub(in crate::store) struct Sqlite {
        directory: tempfile::TempDir,
    }

    impl Sqlite {
        pub(in crate::store) fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            drop(Database::create(&directory.path().join("vouch.db")).unwrap());
            Self { directory }
        }

        pub(in crate::store) fn open(&self) -> Database {
            Database::open(&self.directory.path().join("vouch.db")).unwrap()
        }

        /// Puts an empty database in the place of this one.
        pub(in crate::store) fn replace_file(&self) {
            let (path, other) = (self.directory.path().join("vouch.db"), self.directory.path().join("other.db"));
            drop(Database::create(&other).unwrap());
            std::fs::rename(other, path).unwrap();
        }
    }

    #[async_trait]
    impl Subject for Sqlite {
        async fn store(&self) -> Arc<dyn Store> {
            Arc::new(SqliteStore::new(self.open()))
        }

        async fn corrupt(&self, id: UserId) {
            self.open()
                .call(move |connection| {
                    let sql = "UPDATE users SET record = json_remove(record, '$.created_at') WHERE id = ?1";
                    assert_eq!(connection.execute(sql, [id.0.to_string()])?, 1);
                    Ok::<_, DatabaseError>(())
                })
                .await
                .unwrap();
        }

        fn queues_writers(&self) -> bool {
            true
        }
    }

    crate::store_conformance!(Sqlite::new());

    #[tokio::test]
    async fn a_database_that_was_replaced_is_not_read_any_more() {
        let sqlite = Sqlite::new();
        let store = SqliteStore::new(sqlite.open());
        let alice = store.create(&person("alice")).await.unwrap().user;
        sqlite.replace_file();
        assert!(matches!(store.user(alice.id).await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.user_by_email(&alice.email).await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.users().await, Err(StoreError::Unavailable(_))));
    }
}
