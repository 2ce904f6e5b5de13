//! The root secret and what is derived from it.
//!
//! One random value of 32 bytes, made by an explicit initialisation and never on the way to serving: replicas that
//! share it open each other's sealed state, and losing it costs only the pending invites and ceremonies.

use aws_lc_rs::{
    hkdf::{HKDF_SHA256, Prk, Salt},
    hmac,
};
use rusqlite::OptionalExtension as _;
use zeroize::Zeroizing;

use crate::{
    cluster::signing_keys::SecretFault,
    database::{Database, DatabaseError},
};

/// Bytes of the root secret.
pub const ROOT_LENGTH: usize = 32;

/// Its name in the table `secrets`.
const ROOT_NAME: &str = "root";

/// Separates this use of the root secret from any other product's.
const SALT: &[u8] = b"vouch issuer root secret v1";

/// Why there are no secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// What was written last is not in the file, or the database was made and its initialisation did not get this far.
    #[error(
        "the database holds no root secret: it may be a copy made without its -wal file, or its initialisation did not finish; keep it, and restore a complete backup"
    )]
    Missing,
    /// `create` found one.
    #[error("the database holds a root secret already, and it is left as it is")]
    Exists,
    /// Not 32 bytes.
    #[error(
        "the root secret in the database has {0} bytes instead of {ROOT_LENGTH}; restore the database from a backup"
    )]
    Damaged(usize),
    /// Not 32 bytes, in a cluster.
    #[error(
        "the root secret in the Secret {0} has {1} bytes instead of {ROOT_LENGTH}; restore the Secret from a backup"
    )]
    DamagedSecret(String, usize),
    /// The Secret of an issuer in a cluster is not what it should be.
    #[error(transparent)]
    Secret(#[from] SecretFault),
    /// The system's random number generator, or the key derivation, fails.
    #[error("the cryptographic library failed")]
    Crypto(#[from] aws_lc_rs::error::Unspecified),
    /// The database fails.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<rusqlite::Error> for SecretsError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Keys for one purpose each, derived from the root secret with HKDF (RFC 5869).
pub struct Secrets {
    sealing: Prk,
    invites: hmac::Key,
    nonces: hmac::Key,
}

impl Secrets {
    /// Makes the root secret. Only an explicit initialisation calls it.
    ///
    /// # Errors
    /// [`SecretsError::Exists`] when there is one.
    pub async fn create(database: &Database) -> Result<Self, SecretsError> {
        let mut root = Zeroizing::new([0; ROOT_LENGTH]);
        aws_lc_rs::rand::fill(root.as_mut_slice())?;
        let value = root.clone();
        database
            .call(move |connection| {
                let sql = "INSERT INTO secrets (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
                match connection.execute(sql, (ROOT_NAME, value.as_slice()))? {
                    0 => Err(SecretsError::Exists),
                    _ => Ok(()),
                }
            })
            .await?;
        Self::derive(&root)
    }

    /// Reads the root secret.
    ///
    /// # Errors
    /// [`SecretsError::Missing`] and [`SecretsError::Damaged`]; nothing is made up for them.
    pub async fn load(database: &Database) -> Result<Self, SecretsError> {
        let value = database
            .call(|connection| {
                let sql = "SELECT value FROM secrets WHERE name = ?1";
                let row = connection.query_row(sql, [ROOT_NAME], |row| row.get::<_, Vec<u8>>(0)).optional()?;
                row.map(Zeroizing::new).ok_or(SecretsError::Missing)
            })
            .await?;
        let root = value.as_slice().try_into().map_err(|_| SecretsError::Damaged(value.len()))?;
        Self::derive(&root)
    }

    /// From a root secret that is kept elsewhere.
    ///
    /// # Errors
    /// [`SecretsError::Crypto`] when the derivation fails.
    pub fn derive(root: &[u8; ROOT_LENGTH]) -> Result<Self, SecretsError> {
        let root = Salt::new(HKDF_SHA256, SALT).extract(root);
        let sealing = expand(&root, &[b"sealed state"])?;
        let invites = expand(&root, &[b"invite codes"])?;
        let nonces = expand(&root, &[b"dpop nonces"])?;
        Ok(Self {
            sealing: Prk::new_less_safe(HKDF_SHA256, sealing.as_slice()),
            invites: hmac::Key::new(hmac::HMAC_SHA256, invites.as_slice()),
            nonces: hmac::Key::new(hmac::HMAC_SHA256, nonces.as_slice()),
        })
    }

    /// An AEAD key for one sealed message; `salt` is random and travels with it.
    pub(super) fn sealing_key(&self, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, aws_lc_rs::error::Unspecified> {
        expand(&self.sealing, &[salt])
    }

    /// Hashes invite codes.
    pub(super) const fn invites(&self) -> &hmac::Key {
        &self.invites
    }

    /// Authenticates DPoP nonces.
    pub(super) const fn nonces(&self) -> &hmac::Key {
        &self.nonces
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

fn expand(key: &Prk, info: &[&[u8]]) -> Result<Zeroizing<[u8; 32]>, aws_lc_rs::error::Unspecified> {
    let mut out = Zeroizing::new([0; 32]);
    key.expand(info, HKDF_SHA256)?.fill(out.as_mut_slice())?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Secrets, SecretsError};
    use crate::database::{Database, DatabaseError};

    #[tokio::test]
    async fn what_one_handle_hashes_another_recognises() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vouch.db");
        let made = Secrets::create(&Database::create(&path).unwrap()).await.unwrap();
        let loaded = Secrets::load(&Database::open(&path).unwrap()).await.unwrap();
        let tag = aws_lc_rs::hmac::sign(made.invites(), b"code");
        aws_lc_rs::hmac::verify(loaded.invites(), b"code", tag.as_ref()).unwrap();
        aws_lc_rs::hmac::verify(loaded.nonces(), b"code", tag.as_ref()).unwrap_err();
    }

    #[tokio::test]
    async fn a_missing_secret_is_never_made_up() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::create(&directory.path().join("vouch.db")).unwrap();
        for _ in 0..2 {
            assert!(matches!(Secrets::load(&database).await, Err(SecretsError::Missing)));
        }
    }

    #[test]
    fn a_missing_secret_is_never_a_reason_to_delete_the_database() {
        let text = SecretsError::Missing.to_string();
        assert!(text.contains("a copy made without its -wal file") && text.contains("restore a complete backup"));
        assert!(!text.contains("delete") && !text.contains("init`"), "{text}");
    }

    #[tokio::test]
    async fn an_existing_secret_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::create(&directory.path().join("vouch.db")).unwrap();
        let first = Secrets::create(&database).await.unwrap();
        assert!(matches!(Secrets::create(&database).await, Err(SecretsError::Exists)));
        let tag = aws_lc_rs::hmac::sign(first.nonces(), b"code");
        aws_lc_rs::hmac::verify(Secrets::load(&database).await.unwrap().nonces(), b"code", tag.as_ref()).unwrap();
    }

    #[tokio::test]
    async fn a_damaged_secret_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::create(&directory.path().join("vouch.db")).unwrap();
        Secrets::create(&database).await.unwrap();
        database
            .call(|connection| Ok::<_, DatabaseError>(connection.execute("UPDATE secrets SET value = x'0011'", [])?))
            .await
            .unwrap();
        assert!(matches!(Secrets::load(&database).await, Err(SecretsError::Damaged(2))));
    }

    #[test]
    fn says_nothing_of_itself() {
        assert_eq!(format!("{:?}", Secrets::derive(&[7; 32]).unwrap()), "Secrets");
    }
}
