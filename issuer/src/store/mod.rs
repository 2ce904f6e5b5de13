//! Where people and their keys are kept.
//!
//! One record per person is the unit of consistency: every change is a compare-and-swap on it, so an assertion is
//! used once and a key is enrolled once, whatever the number of replicas. Nothing here is ever written because of
//! a request without a verified identity.

pub mod cached;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod kubernetes;
pub mod record;
pub mod sqlite;

use async_trait::async_trait;
use serde::Serialize;
use tokio::sync::watch;
use vouch_iam::identity::EmailAddress;

use self::record::{CredentialId, InviteHash, UserId, UserRecord};

/// A record as read, with the version that a replacement must name.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The person.
    pub user: UserRecord,
    /// Opaque; changes with every write that changes anything.
    pub version: Version,
}

impl Stored {
    /// That `next` is about the same person: id and address never change, because keys and sessions belong to them.
    pub(crate) fn same_person(&self, next: &UserRecord) -> Result<(), StoreError> {
        if self.user.id != next.id {
            return Err(StoreError::Taken("the user id"));
        }
        if self.user.email != next.email {
            return Err(StoreError::Taken("the e-mail address"));
        }
        Ok(())
    }
}

/// Everybody in a store.
#[derive(Debug, Default)]
pub struct Everybody {
    /// Whose record can be read, by e-mail.
    pub people: Vec<Stored>,
    /// Whose record cannot.
    pub damaged: Vec<Damaged>,
}

/// A record that cannot be read. It is nobody's until somebody has mended it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damaged {
    /// Which record.
    pub what: String,
    /// Why not.
    pub reason: String,
}

impl Everybody {
    /// What came of reading each record. One that is damaged does not hide the others.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn of(read: impl Iterator<Item = Result<Stored, StoreError>>) -> Result<Self, StoreError> {
        let mut everybody = Self::default();
        for record in read {
            match record {
                Ok(stored) => everybody.people.push(stored),
                Err(StoreError::Corrupt { what, reason }) => everybody.damaged.push(Damaged { what, reason }),
                Err(error) => return Err(error),
            }
        }
        Ok(everybody)
    }
}

/// An opaque version of a record (a row version, a resourceVersion).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody changed the record since it was read. Read again and decide again.
    #[error("the record was changed by somebody else")]
    Conflict,
    /// The e-mail, the credential id or the user id belongs to another record.
    #[error("{0} belongs to another person already")]
    Taken(&'static str),
    /// The record is gone.
    #[error("the record does not exist")]
    Missing,
    /// What is stored cannot be read as a record. Nothing was changed.
    #[error("the stored record of {what} cannot be read: {reason}")]
    Corrupt {
        /// Which record.
        what: String,
        /// Why not.
        reason: String,
    },
    /// The store takes no writes now; reads go on with what it knows.
    #[error("the store takes no writes now")]
    ReadOnly(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store itself fails (disk, lock, network).
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// People and their keys. Every implementation passes `store::conformance`. What another process has written may be read
/// half a second late; a write on what was read late is refused as a conflict, after which reads are current.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// By opaque id.
    async fn user(&self, id: UserId) -> Result<Option<Stored>, StoreError>;
    /// By e-mail.
    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<Stored>, StoreError>;
    /// By the credential a key presented.
    async fn user_by_credential(&self, credential: &CredentialId) -> Result<Option<Stored>, StoreError>;
    /// By an invite, redeemed or not.
    async fn user_by_invite(&self, invite: &InviteHash) -> Result<Option<Stored>, StoreError>;
    /// Everybody.
    async fn users(&self) -> Result<Everybody, StoreError>;
    /// Adds a person. `Taken` when e-mail, id or a credential is in use. The store may have its own word for when the
    /// record was made.
    async fn create(&self, user: &UserRecord) -> Result<Stored, StoreError>;
    /// Replaces the record read as `current` by `next` (same id, same e-mail). `Conflict` when it has changed meanwhile.
    async fn replace(&self, current: &Stored, next: &UserRecord) -> Result<Stored, StoreError>;
    /// Rises whenever any record may have changed, also by another process; within half a second.
    fn changes(&self) -> watch::Receiver<u64>;
    /// Whether reads work now.
    async fn health(&self) -> Result<(), StoreError>;
    /// Why reads may answer what was true a while ago, and writes are refused; `None` while all is well.
    fn stale(&self) -> Option<String> {
        None
    }
}
