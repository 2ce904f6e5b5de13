//! Signing keys: reads them, rotates them when it is time, and gives the rest of the issuer what it signs and
//! verifies with.
//!
//! It never makes a first key: a missing or damaged key store is an error that a person must look at, and while the
//! issuer runs the last good keys stay in use. Rotation is the keyring's planner; this module only reads, applies and
//! writes, by compare-and-swap, so any number of processes may run it on one store. In a cluster it only reads: the
//! operator rotates.

pub mod change;
mod maintain;
mod published;
pub mod silence;
mod snapshot;
pub mod store;

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use vouch_keyring::{Algorithm, Change, KeyPolicy, NoSigner, Signer};

pub use self::{
    change::{Advance, KeyStoreFault},
    maintain::{clock_behind, event, maintain},
    published::PublishedKey,
    silence::Silence,
    snapshot::{KeyStatus, Snapshot, statuses},
    store::{KeySource, KeyStore, KeyStoreError},
};

/// Where the keys are, and whether this process rotates them.
enum Keys {
    Kept(Arc<dyn KeyStore>),
    Followed(Arc<dyn KeySource>),
}

impl Keys {
    async fn advance(
        &self,
        policy: &KeyPolicy,
        known: Option<&Snapshot>,
        now: Timestamp,
    ) -> Result<Advance, KeyStoreFault> {
        match self {
            Self::Kept(store) => change::advance(&**store, policy, known, now).await,
            Self::Followed(source) => change::read(&**source, known).await,
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        match self {
            Self::Kept(store) => store.changes(),
            Self::Followed(source) => source.changes(),
        }
    }

    fn stale(&self) -> Option<String> {
        match self {
            Self::Kept(store) => store.stale(),
            Self::Followed(source) => source.stale(),
        }
    }
}

/// The signing keys of a running issuer.
pub struct KeyService {
    keys: Keys,
    policy: ArcSwap<KeyPolicy>,
    snapshot: ArcSwap<Snapshot>,
    /// Why the store could not be read the last time; `None` while all is well.
    fault: ArcSwapOption<String>,
    policy_changed: Notify,
    /// Refreshes one after another, so that an older reading never replaces a newer one.
    refreshing: tokio::sync::Mutex<()>,
    /// Changes made before anybody could report them.
    unreported: Mutex<Vec<Change>>,
}

impl KeyService {
    /// Reads the keys and does what is due.
    ///
    /// # Errors
    /// When the store has no keys, or they cannot be read; nothing is made in their place.
    pub async fn load(store: Arc<dyn KeyStore>, policy: KeyPolicy, now: Timestamp) -> Result<Self, KeyStoreFault> {
        Self::begin(Keys::Kept(store), policy, now).await
    }

    /// Reads the keys that another program rotates, and never writes.
    ///
    /// # Errors
    /// When there are no keys, or they cannot be read.
    pub async fn follow(source: Arc<dyn KeySource>, policy: KeyPolicy, now: Timestamp) -> Result<Self, KeyStoreFault> {
        Self::begin(Keys::Followed(source), policy, now).await
    }

    async fn begin(keys: Keys, policy: KeyPolicy, now: Timestamp) -> Result<Self, KeyStoreFault> {
        let Advance { set, document, changes } = keys.advance(&policy, None, now).await?;
        let snapshot = Snapshot::new(set, document, &policy, now);
        Ok(Self {
            keys,
            policy: ArcSwap::from_pointee(policy),
            snapshot: ArcSwap::from_pointee(snapshot),
            fault: ArcSwapOption::empty(),
            policy_changed: Notify::new(),
            refreshing: tokio::sync::Mutex::new(()),
            unreported: Mutex::new(changes),
        })
    }

    /// What signs tokens for AWS and sessions: ES256.
    ///
    /// # Errors
    /// When no key may sign now; the error says until when.
    pub fn signer(&self) -> Result<Arc<Signer>, NoSigner> {
        self.signer_for(Algorithm::Es256)
    }

    /// What signs with `algorithm`.
    ///
    /// # Errors
    /// When no key may sign now; the error says until when.
    pub fn signer_for(&self, algorithm: Algorithm) -> Result<Arc<Signer>, NoSigner> {
        self.snapshot.load().signer(algorithm)
    }

    /// The published key of this id. A revoked key is not published any more.
    #[must_use]
    pub fn verifying_key(&self, kid: &str) -> Option<Arc<PublishedKey>> {
        self.snapshot.load().verifying_key(kid)
    }

    /// Everything about the keys, as of the last change.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Whether this process rotates the keys.
    #[must_use]
    pub const fn rotates(&self) -> bool {
        matches!(self.keys, Keys::Kept(_))
    }

    /// Why the store could not be read the last time, or does not tell of changes now.
    #[must_use]
    pub fn fault(&self) -> Option<Arc<String>> {
        self.fault.load_full().or_else(|| self.keys.stale().map(Arc::new))
    }

    /// Rotates by another policy from now on.
    pub fn set_policy(&self, policy: KeyPolicy) {
        if **self.policy.load() != policy {
            self.policy.store(Arc::new(policy));
            self.policy_changed.notify_one();
        }
    }

    /// Reads the keys again and does what is due. A failure leaves the last good keys in use.
    ///
    /// # Errors
    /// When the store cannot be read, or holds what it must not.
    pub async fn refresh(&self, now: Timestamp) -> Result<Vec<Change>, KeyStoreFault> {
        let _one_at_a_time = self.refreshing.lock().await;
        let policy = self.policy.load_full();
        let known = self.snapshot.load_full();
        match self.keys.advance(&policy, Some(&known), now).await {
            Ok(Advance { set, document, changes }) => {
                if changes.is_empty() && document != known.document {
                    tracing::info!("the signing keys were changed by another process");
                }
                self.fault.store(None);
                self.snapshot.store(Arc::new(Snapshot::new(set, document, &policy, now)));
                let mut unreported = self.unreported.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(unreported.drain(..).chain(changes).collect())
            }
            Err(fault) => {
                self.fault.store(Some(Arc::new(describe(&fault))));
                Err(fault)
            }
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.keys.changes()
    }
}

impl std::fmt::Debug for KeyService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyService").field("snapshot", &self.snapshot.load()).finish_non_exhaustive()
    }
}

/// An error with its causes, in one line.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
