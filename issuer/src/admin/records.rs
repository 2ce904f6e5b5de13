//! Stores that administration changes, each with its own way of telling who did what.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    audit::Event,
    store::{Store, StoreError, Stored, kubernetes::KubernetesStore, record::UserRecord, sqlite::SqliteStore},
};

/// A store for administrators.
#[async_trait]
pub trait Records: Store {
    /// [`Store::replace`], of which the audit trail tells if and only if it happens.
    async fn replace_and_tell(
        &self,
        current: &Stored,
        next: &UserRecord,
        told: Option<(Timestamp, Event)>,
    ) -> Result<Stored, StoreError>;
}

/// The line is left in the database, for the trail of the running issuer.
#[async_trait]
impl Records for SqliteStore {
    async fn replace_and_tell(
        &self,
        current: &Stored,
        next: &UserRecord,
        told: Option<(Timestamp, Event)>,
    ) -> Result<Stored, StoreError> {
        Self::replace_and_tell(self, current, next, told).await
    }
}

/// The API server's own audit log has the write, with the administrator's name, which no line of ours could vouch for.
#[async_trait]
impl Records for KubernetesStore {
    async fn replace_and_tell(
        &self,
        current: &Stored,
        next: &UserRecord,
        _: Option<(Timestamp, Event)>,
    ) -> Result<Stored, StoreError> {
        self.replace(current, next).await
    }
}
