//! Where the signing-key set is kept: one document with a revision, changed by compare-and-swap only.

use async_trait::async_trait;
use rusqlite::OptionalExtension;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::{
    cluster::signing_keys::SecretFault,
    database::{Database, DatabaseError},
};

/// The document as read. It holds private keys.
pub struct StoredKeys {
    /// As the keyring serialised it.
    pub document: Zeroizing<String>,
    /// What a replacement must name.
    pub revision: Revision,
}

impl std::fmt::Debug for StoredKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredKeys").field("revision", &self.revision).finish_non_exhaustive()
    }
}

/// Rises with every write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub i64);

/// Why the key store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// There is no document, and only `vouch-issuer init` makes one.
    #[error(
        "the key store holds no signing keys; restore it from a backup, or move it away and begin anew with the command init"
    )]
    Missing,
    /// Somebody wrote first. Read again and decide again; this is no failure.
    #[error("the signing keys were changed by somebody else")]
    Conflict,
    /// The document is not even text.
    #[error("the key document is damaged: it is not text; restore it from a backup")]
    NotText,
    /// The Secret of an issuer in a cluster is not what it should be.
    #[error(transparent)]
    Secret(#[from] SecretFault),
    /// The store itself fails.
    #[error("the key store is not available")]
    Database(#[from] DatabaseError),
}

impl From<rusqlite::Error> for KeyStoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Where the document is read.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// Reads the document. `Missing` when there is none.
    async fn load(&self) -> Result<StoredKeys, KeyStoreError>;
    /// Rises whenever the document may have changed, also by another process.
    fn changes(&self) -> watch::Receiver<u64>;
    /// Why what is read may be what was there a while ago; `None` while all is well.
    fn stale(&self) -> Option<String> {
        None
    }
}

/// Keeps the document. It never makes one by itself: that is [`KeyStore::create`], an administrator's explicit act.
#[async_trait]
pub trait KeyStore: KeySource {
    /// Writes the first document. `Conflict` when there is one already.
    async fn create(&self, document: Zeroizing<String>) -> Result<Revision, KeyStoreError>;
    /// Replaces the document read as `current`. `Conflict` when it has changed meanwhile.
    async fn replace(&self, current: Revision, document: Zeroizing<String>) -> Result<Revision, KeyStoreError>;
}

#[async_trait]
impl KeySource for Database {
    async fn load(&self) -> Result<StoredKeys, KeyStoreError> {
        self.in_place()?;
        self.call(|connection| {
            let row = connection.query_row("SELECT document, revision FROM keyring WHERE id = 1", [], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, Revision(row.get(1)?)))
            });
            let (bytes, revision) = row.optional()?.ok_or(KeyStoreError::Missing)?;
            let document = String::from_utf8(bytes).map(Zeroizing::new).map_err(|_| KeyStoreError::NotText)?;
            Ok(StoredKeys { document, revision })
        })
        .await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        Self::changes(self)
    }
}

#[async_trait]
impl KeyStore for Database {
    async fn create(&self, document: Zeroizing<String>) -> Result<Revision, KeyStoreError> {
        self.call(move |connection| {
            let added = connection.execute(
                "INSERT INTO keyring (id, document, revision) VALUES (1, ?1, 1) ON CONFLICT DO NOTHING",
                [document.as_bytes()],
            )?;
            if added == 1 { Ok(Revision(1)) } else { Err(KeyStoreError::Conflict) }
        })
        .await
    }

    async fn replace(&self, current: Revision, document: Zeroizing<String>) -> Result<Revision, KeyStoreError> {
        self.in_place()?;
        self.call(move |connection| {
            let changed = connection.execute(
                "UPDATE keyring SET document = ?1, revision = revision + 1 WHERE id = 1 AND revision = ?2",
                rusqlite::params![document.as_bytes(), current.0],
            )?;
            if changed == 1 { Ok(Revision(current.0 + 1)) } else { Err(KeyStoreError::Conflict) }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn document(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn an_empty_store_says_what_to_do_instead_of_making_keys() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::create(&dir.path().join("issuer.db")).unwrap();
        let error = database.load().await.unwrap_err();
        assert!(matches!(error, KeyStoreError::Missing));
        assert!(error.to_string().contains("restore it from a backup"));
    }

    #[tokio::test]
    async fn the_second_of_two_writers_is_told_that_it_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("issuer.db");
        let one = Database::create(&path).unwrap();
        let other = Database::open(&path).unwrap();
        let first = one.create(document("a")).await.unwrap();
        assert!(matches!(other.create(document("b")).await, Err(KeyStoreError::Conflict)));
        let second = other.replace(first, document("c")).await.unwrap();
        assert!(matches!(one.replace(first, document("d")).await, Err(KeyStoreError::Conflict)));
        let stored = one.load().await.unwrap();
        assert_eq!((stored.document.as_str(), stored.revision), ("c", second));
    }
}
