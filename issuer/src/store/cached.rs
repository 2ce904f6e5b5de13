//! A store that remembers the records of people who are signed in.
//!
//! Every request of a session compares itself with its person's record. Nearly always nothing has changed, and then the
//! answer is a look into a map instead of a query. What is remembered is forgotten at the next change of any record, by
//! whichever process, as soon as [`Store::changes`] tells of it; a write never succeeds on an old record, because every
//! write is a compare-and-swap.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use async_trait::async_trait;
use tokio::sync::watch;
use vouch_iam::identity::EmailAddress;

use super::{
    Everybody, Store, StoreError, Stored,
    record::{CredentialId, InviteHash, UserId, UserRecord},
};

/// Records remembered at most, of a few KiB each.
const CAPACITY: usize = 4096;

/// Remembers what [`Store::user`] of the store inside has answered.
#[derive(Debug)]
pub struct CachedStore<S> {
    inner: S,
    changes: watch::Receiver<u64>,
    remembered: RwLock<Remembered>,
}

/// Records as of one count of changes.
#[derive(Debug, Default)]
struct Remembered {
    changes: u64,
    records: HashMap<UserId, Stored>,
}

impl<S: Store> CachedStore<S> {
    /// Remembers the records of `inner`.
    pub fn new(inner: S) -> Self {
        Self { changes: inner.changes(), inner, remembered: RwLock::default() }
    }

    fn recall(&self, id: UserId, changes: u64) -> Option<Stored> {
        let remembered = self.remembered.read().unwrap_or_else(PoisonError::into_inner);
        let current = remembered.changes == changes;
        current.then(|| remembered.records.get(&id).cloned()).flatten()
    }

    /// `changes` was read before the record was: if anything was written in between, nobody will recall it.
    fn remember(&self, changes: u64, stored: &Stored) {
        let mut remembered = self.remembered.write().unwrap_or_else(PoisonError::into_inner);
        if remembered.changes != changes || remembered.records.len() >= CAPACITY {
            *remembered = Remembered { changes, records: HashMap::new() };
        }
        remembered.records.insert(stored.user.id, stored.clone());
    }

    fn forget(&self, id: UserId) {
        self.remembered.write().unwrap_or_else(PoisonError::into_inner).records.remove(&id);
    }
}

#[async_trait]
impl<S: Store> Store for CachedStore<S> {
    async fn user(&self, id: UserId) -> Result<Option<Stored>, StoreError> {
        let changes = *self.changes.borrow();
        if let Some(stored) = self.recall(id, changes) {
            return Ok(Some(stored));
        }
        let stored = self.inner.user(id).await?;
        if let Some(stored) = &stored {
            self.remember(changes, stored);
        }
        Ok(stored)
    }

    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<Stored>, StoreError> {
        self.inner.user_by_email(email).await
    }

    async fn user_by_credential(&self, credential: &CredentialId) -> Result<Option<Stored>, StoreError> {
        self.inner.user_by_credential(credential).await
    }

    async fn user_by_invite(&self, invite: &InviteHash) -> Result<Option<Stored>, StoreError> {
        self.inner.user_by_invite(invite).await
    }

    async fn users(&self) -> Result<Everybody, StoreError> {
        self.inner.users().await
    }

    async fn create(&self, user: &UserRecord) -> Result<Stored, StoreError> {
        self.inner.create(user).await
    }

    /// Whatever comes of it, the record is read anew next time: a conflict means that another process was faster, whose
    /// write may not have been told of yet.
    async fn replace(&self, current: &Stored, next: &UserRecord) -> Result<Stored, StoreError> {
        let outcome = self.inner.replace(current, next).await;
        self.forget(next.id);
        outcome
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.inner.health().await
    }

    fn stale(&self) -> Option<String> {
        self.inner.stale()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::sync::Arc;

    use async_trait::async_trait;

    use super::CachedStore;
    use crate::{
        database::DatabaseError,
        store::{
            Store, StoreError,
            conformance::{Subject, person},
            record::UserId,
            sqlite::{SqliteStore, tests::Sqlite},
        },
    };

    struct Cached(Sqlite);

    #[async_trait]
    impl Subject for Cached {
        async fn store(&self) -> Arc<dyn Store> {
            Arc::new(CachedStore::new(SqliteStore::new(self.0.open())))
        }

        async fn corrupt(&self, id: UserId) {
            self.0.corrupt(id).await;
        }

        fn queues_writers(&self) -> bool {
            self.0.queues_writers()
        }
    }

    crate::store_conformance!(Cached(Sqlite::new()));

    #[tokio::test]
    async fn a_record_is_read_once_while_nothing_changes_and_anew_after_any_change() {
        let sqlite = Sqlite::new();
        let database = sqlite.open();
        let store = CachedStore::new(SqliteStore::new(database.clone()));
        let alice = store.create(&person("alice")).await.unwrap();
        let before = store.user(alice.user.id).await.unwrap().unwrap();
        // Behind the store's back and before the change is told of: a reader of the file would see it.
        let hidden = "UPDATE users SET version = version + 1000";
        let watched = store.changes();
        sqlite.open().call(move |connection| Ok::<_, DatabaseError>(connection.execute(hidden, [])?)).await.unwrap();
        let read = store.user(alice.user.id).await.unwrap().unwrap();
        if !watched.has_changed().unwrap() {
            assert_eq!(read.version, before.version);
        }
        store.create(&person("bob")).await.unwrap();
        assert_ne!(store.user(alice.user.id).await.unwrap().unwrap().version, before.version);
    }

    #[tokio::test]
    async fn what_is_remembered_of_a_database_that_was_replaced_is_forgotten_within_a_second() {
        let sqlite = Sqlite::new();
        let store = CachedStore::new(SqliteStore::new(sqlite.open()));
        let alice = store.create(&person("alice")).await.unwrap().user;
        store.user(alice.id).await.unwrap().unwrap();
        let mut changes = store.changes();
        changes.mark_unchanged();
        sqlite.replace_file();
        tokio::time::timeout(std::time::Duration::from_secs(30), changes.changed()).await.unwrap().unwrap();
        assert!(matches!(store.user(alice.id).await, Err(StoreError::Unavailable(_))));
    }

    #[tokio::test]
    async fn a_conflict_with_another_process_is_seen_at_the_next_look() {
        let sqlite = Sqlite::new();
        let (ours, theirs) = (sqlite.open(), sqlite.open());
        let store = CachedStore::new(SqliteStore::new(ours));
        let other = SqliteStore::new(theirs);
        let created = store.create(&person("alice")).await.unwrap();
        let seen = store.user(created.user.id).await.unwrap().unwrap();
        let written = other.replace(&seen, &seen.user).await.unwrap();
        let refused = store.replace(&seen, &seen.user).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict), "{refused}");
        assert_eq!(store.user(created.user.id).await.unwrap().unwrap().version, written.version);
    }
}
