//! The credential cache of one session.
//!
//! A hit is a load of two atomic pointers and a copy of prepared bytes: no lock, no socket. However many callers miss
//! at once, one of them asks AWS and all share what comes of it, be it credentials or a refusal. The cache belongs to
//! its session and goes with it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use arc_swap::{ArcSwap, ArcSwapOption};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use jiff::Timestamp;
use vouch_iam::arn::RoleArn;
use zeroize::Zeroizing;

use super::{
    freshness::{Freshness, Life},
    protocol::{AwsCredentials, AwsCredentialsRequest, CachedCredential, Reply, Response},
};
use crate::{
    clock::SharedClock,
    error::{Category, Failure},
};

/// A renewal in the background that failed is tried again after this many seconds.
const RENEWAL_PAUSE_SECONDS: i64 = 60;

/// Where credentials come from.
pub trait CredentialSource: Send + Sync + 'static {
    /// Gets new ones.
    fn obtain(&self, request: AwsCredentialsRequest) -> BoxFuture<'static, Result<Obtained, Failure>>;
}

/// New credentials.
#[derive(Debug, Clone)]
pub struct Obtained {
    /// For the caller.
    pub credentials: AwsCredentials,
    /// The roles assumed, in order.
    pub chain: Vec<RoleArn>,
}

/// Credentials as they are served.
pub struct Ready {
    /// The whole answer to the client, newline included.
    pub line: Zeroizing<Vec<u8>>,
    /// From when until when they are good.
    pub life: Life,
    /// The roles assumed, in order.
    pub chain: Vec<RoleArn>,
}

/// What tells two entries apart: everything asked for but the region.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    role: RoleArn,
    via: Option<RoleArn>,
    duration: Option<u32>,
}

type Flight = Shared<BoxFuture<'static, Result<Arc<Ready>, Failure>>>;

struct Slot {
    request: AwsCredentialsRequest,
    ready: ArcSwapOption<Ready>,
    /// The request to AWS that is on its way.
    flight: Mutex<Option<Flight>>,
    /// Unix seconds.
    used_at: AtomicI64,
    /// Unix seconds; no renewal in the background before.
    renew_from: AtomicI64,
}

/// The cache.
pub struct CredentialCache {
    source: Arc<dyn CredentialSource>,
    clock: SharedClock,
    slots: ArcSwap<HashMap<Key, Arc<Slot>>>,
}

impl CredentialCache {
    /// An empty cache.
    #[must_use]
    pub fn new(source: Arc<dyn CredentialSource>, clock: SharedClock) -> Self {
        Self { source, clock, slots: ArcSwap::default() }
    }

    /// Credentials for `request`, from the cache when they are good for a while.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn get(&self, request: &AwsCredentialsRequest) -> Result<Arc<Ready>, Failure> {
        let now = self.clock.now();
        let slot = self.slot(request);
        slot.used_at.store(now.as_second(), Ordering::Relaxed);
        let Some(ready) = slot.ready.load_full() else {
            return self.flight(&slot).await;
        };
        match ready.life.at(now) {
            Freshness::Fresh => Ok(ready),
            Freshness::Aging => {
                self.renew(&slot, now);
                Ok(ready)
            }
            Freshness::Old => Ok(self.flight(&slot).await.unwrap_or(ready)),
            Freshness::Dead => self.flight(&slot).await,
        }
    }

    /// Renews what is due and in use, and forgets what nobody can use any more. To be called now and then.
    pub fn tend(&self) {
        let now = self.clock.now();
        for slot in self.slots.load().values() {
            let used_at = Timestamp::from_second(slot.used_at.load(Ordering::Relaxed)).unwrap_or(Timestamp::MIN);
            if slot.ready.load().as_ref().is_some_and(|ready| ready.life.due(now, used_at)) {
                self.renew(slot, now);
            }
        }
        let useless = |slot: &Slot| {
            slot.flying().is_none()
                && slot.ready.load().as_ref().is_none_or(|ready| ready.life.at(now) == Freshness::Dead)
        };
        if self.slots.load().values().any(|slot| useless(slot)) {
            self.slots.rcu(|slots| {
                let mut slots = HashMap::clone(slots);
                slots.retain(|_, slot| !useless(slot));
                slots
            });
        }
    }

    /// What is cached, without its secrets, in the order of the roles.
    #[must_use]
    pub fn list(&self) -> Vec<CachedCredential> {
        let now = self.clock.now();
        let slots = self.slots.load();
        let mut list: Vec<_> = slots
            .values()
            .filter_map(|slot| {
                let ready = slot.ready.load_full().filter(|ready| ready.life.at(now) != Freshness::Dead)?;
                Some(CachedCredential {
                    request: slot.request.clone(),
                    chain: ready.chain.clone(),
                    expires_at: ready.life.until,
                    refresh_at: ready.life.refresh_at(),
                })
            })
            .collect();
        list.sort_by(|a, b| {
            (a.request.role.account(), &a.request.role).cmp(&(b.request.role.account(), &b.request.role))
        });
        list
    }

    fn slot(&self, request: &AwsCredentialsRequest) -> Arc<Slot> {
        let key = Key { role: request.role.clone(), via: request.via.clone(), duration: request.duration };
        if let Some(slot) = self.slots.load().get(&key) {
            return Arc::clone(slot);
        }
        let new = Arc::new(Slot::new(request.clone()));
        self.slots.rcu(|slots| {
            let mut slots = HashMap::clone(slots);
            slots.entry(key.clone()).or_insert_with(|| Arc::clone(&new));
            slots
        });
        // Somebody else may have been faster.
        self.slots.load().get(&key).map_or(new, Arc::clone)
    }

    /// Begins a renewal nobody waits for, unless the last one failed a moment ago.
    fn renew(&self, slot: &Arc<Slot>, now: Timestamp) {
        if now.as_second() >= slot.renew_from.load(Ordering::Relaxed) {
            drop(self.flight(slot));
        }
    }

    /// The request that is on its way, or a new one. It goes on when all who wait for it give up.
    fn flight(&self, slot: &Arc<Slot>) -> Flight {
        let mut flying = slot.flying();
        if let Some(flight) = flying.as_ref() {
            return flight.clone();
        }
        // It may have landed between the caller's look and this one.
        let now = self.clock.now();
        if let Some(ready) = slot.ready.load_full().filter(|ready| ready.life.at(now) == Freshness::Fresh) {
            return futures::future::ready(Ok(ready)).boxed().shared();
        }
        let task =
            tokio::spawn(land(Arc::clone(slot), self.source.obtain(slot.request.clone()), Arc::clone(&self.clock)));
        let flight = async move {
            task.await
                .unwrap_or_else(|_| Err(Failure::new(Category::General, "the agent could not finish the request")))
        };
        let flight = flight.boxed().shared();
        *flying = Some(flight.clone());
        flight
    }
}

/// Waits for the source and puts its answer into the slot.
async fn land(
    slot: Arc<Slot>,
    request: BoxFuture<'static, Result<Obtained, Failure>>,
    clock: SharedClock,
) -> Result<Arc<Ready>, Failure> {
    // Frees the slot for the next request even when the source panics.
    let _landing = Landing(&slot);
    let from = clock.now();
    let ready = request.await.and_then(|obtained| Ready::new(obtained, from).map(Arc::new));
    match &ready {
        Ok(ready) => slot.ready.store(Some(Arc::clone(ready))),
        Err(failure) => {
            tracing::info!(role = %slot.request.role, category = ?failure.category, "no credentials: {failure}");
            slot.renew_from.store(clock.now().as_second() + RENEWAL_PAUSE_SECONDS, Ordering::Relaxed);
        }
    }
    ready
}

struct Landing<'a>(&'a Slot);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        *self.0.flying() = None;
    }
}

impl Slot {
    fn new(request: AwsCredentialsRequest) -> Self {
        Self {
            request,
            ready: ArcSwapOption::empty(),
            flight: Mutex::new(None),
            used_at: AtomicI64::new(0),
            renew_from: AtomicI64::new(0),
        }
    }

    fn flying(&self) -> std::sync::MutexGuard<'_, Option<Flight>> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ready {
    fn new(obtained: Obtained, from: Timestamp) -> Result<Self, Failure> {
        let until = obtained.credentials.expiration;
        let reply = Response::Ok(Reply::AwsCredentials(obtained.credentials));
        let mut line = Zeroizing::new(Vec::with_capacity(4096));
        serde_json::to_writer(&mut *line, &reply).map_err(|error| {
            Failure::new(Category::General, format!("cannot put the credentials into words: {error}"))
        })?;
        line.push(b'\n');
        Ok(Self { line, life: Life { from, until }, chain: obtained.chain })
    }
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
