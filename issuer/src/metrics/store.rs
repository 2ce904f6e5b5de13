//! A store that measures another one.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};
use tokio::sync::watch;
use vouch_iam::identity::EmailAddress;

use super::OperationLabel;
use crate::store::{
    Everybody, Store, StoreError, Stored,
    record::{CredentialId, InviteHash, UserId, UserRecord},
};

/// Seconds; a store answers from a page cache or waits for a disk.
const BUCKETS: [f64; 9] = [0.0001, 0.000_5, 0.001, 0.002_5, 0.01, 0.05, 0.25, 1.0, 5.0];

/// The store's part of the metrics.
#[derive(Debug, Clone)]
pub struct StoreMeter {
    pub(super) durations: Family<OperationLabel, Histogram, fn() -> Histogram>,
    pub(super) failures: Family<OperationLabel, Counter>,
}

impl Default for StoreMeter {
    fn default() -> Self {
        Self { durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)), failures: Family::default() }
    }
}

impl StoreMeter {
    pub(super) fn call(&self, operation: &'static str, took: Duration, failed: bool) {
        self.durations.get_or_create(&OperationLabel { operation }).observe(took.as_secs_f64());
        if failed {
            self.failures.get_or_create(&OperationLabel { operation }).inc();
        }
    }
}

/// Times every call of the store inside.
#[derive(Debug)]
pub struct MeteredStore<S> {
    inner: S,
    meter: StoreMeter,
}

impl<S: Store> MeteredStore<S> {
    /// Measures `inner` with `meter`.
    pub const fn new(inner: S, meter: StoreMeter) -> Self {
        Self { inner, meter }
    }

    async fn timed<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let result = call.await;
        let failed =
            matches!(result, Err(StoreError::Unavailable(_) | StoreError::ReadOnly(_) | StoreError::Corrupt { .. }));
        self.meter.call(operation, began.elapsed(), failed);
        result
    }
}

#[async_trait]
impl<S: Store> Store for MeteredStore<S> {
    async fn user(&self, id: UserId) -> Result<Option<Stored>, StoreError> {
        self.timed("user", self.inner.user(id)).await
    }

    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<Stored>, StoreError> {
        self.timed("user_by_email", self.inner.user_by_email(email)).await
    }

    async fn user_by_credential(&self, credential: &CredentialId) -> Result<Option<Stored>, StoreError> {
        self.timed("user_by_credential", self.inner.user_by_credential(credential)).await
    }

    async fn user_by_invite(&self, invite: &InviteHash) -> Result<Option<Stored>, StoreError> {
        self.timed("user_by_invite", self.inner.user_by_invite(invite)).await
    }

    async fn users(&self) -> Result<Everybody, StoreError> {
        self.timed("users", self.inner.users()).await
    }

    async fn create(&self, user: &UserRecord) -> Result<Stored, StoreError> {
        self.timed("create", self.inner.create(user)).await
    }

    async fn replace(&self, current: &Stored, next: &UserRecord) -> Result<Stored, StoreError> {
        self.timed("replace", self.inner.replace(current, next)).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.timed("health", self.inner.health()).await
    }

    fn stale(&self) -> Option<String> {
        self.inner.stale()
    }
}
