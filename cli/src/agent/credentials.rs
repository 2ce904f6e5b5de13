//! The credential cache of one session.
//!
//! A hit is a load of two atomic pointers and a copy of prepared bytes: no lock, no socket. However many callers miss
//! at once, one of them asks AWS and all share what comes of it, be it credentials or a refusal. The cache belongs to
//! its session and goes with it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
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
    /// What was asked for, with the region whose endpoint answered.
    pub request: AwsCredentialsRequest,
}

/// What tells two entries apart: everything asked for but the region. Credentials of a regional STS endpoint are valid in
/// every region of the partition (IAM User Guide, "Manage AWS STS in an AWS Region"), so those that are there serve all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    role: RoleArn,
    via: Option<RoleArn>,
    duration: Option<u32>,
}

type Flight = Shared<BoxFuture<'static, Result<Arc<Ready>, Failure>>>;

/// Requests to AWS that are on their way, by the region whose endpoint was asked: whoever misses the cache gets the answer
/// of the endpoint they named, be it a refusal.
type Flights = HashMap<Option<String>, Flight>;

#[derive(Default)]
struct Slot {
    ready: ArcSwapOption<Ready>,
    flights: Mutex<Flights>,
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
            return self.flight(&slot, request).await;
        };
        match ready.life.at(now) {
            Freshness::Fresh => Ok(ready),
            Freshness::Aging => {
                self.renew(&slot, &ready, now);
                Ok(ready)
            }
            Freshness::Old => Ok(self.flight(&slot, request).await.unwrap_or(ready)),
            Freshness::Dead => self.flight(&slot, request).await,
        }
    }

    /// Renews what is due and in use, and forgets what nobody can use any more. To be called now and then.
    pub fn tend(&self) {
        let now = self.clock.now();
        for slot in self.slots.load().values() {
            let used_at = Timestamp::from_second(slot.used_at.load(Ordering::Relaxed)).unwrap_or(Timestamp::MIN);
            if let Some(ready) = slot.ready.load_full().filter(|ready| ready.life.due(now, used_at)) {
                self.renew(slot, &ready, now);
            }
        }
        let useless = |slot: &Slot| {
            slot.flying().is_empty()
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
                    request: ready.request.clone(),
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
        let new = Arc::new(Slot::default());
        self.slots.rcu(|slots| {
            let mut slots = HashMap::clone(slots);
            slots.entry(key.clone()).or_insert_with(|| Arc::clone(&new));
            slots
        });
        // Somebody else may have been faster.
        self.slots.load().get(&key).map_or(new, Arc::clone)
    }

    /// Begins a renewal nobody waits for, at the endpoint that answered before, unless the last one failed a moment ago.
    fn renew(&self, slot: &Arc<Slot>, ready: &Ready, now: Timestamp) {
        if now.as_second() >= slot.renew_from.load(Ordering::Relaxed) {
            drop(self.flight(slot, &ready.request));
        }
    }

    /// The request that is on its way to the region's endpoint, or a new one. It goes on when all who wait for it give up.
    fn flight(&self, slot: &Arc<Slot>, request: &AwsCredentialsRequest) -> Flight {
        let mut flying = slot.flying();
        if let Some(flight) = flying.get(&request.region) {
            return flight.clone();
        }
        // It may have landed between the caller's look and this one.
        let now = self.clock.now();
        if let Some(ready) = slot.ready.load_full().filter(|ready| ready.life.at(now) == Freshness::Fresh) {
            return futures::future::ready(Ok(ready)).boxed().shared();
        }
        let asked = self.source.obtain(request.clone());
        let task = tokio::spawn(land(Arc::clone(slot), request.clone(), asked, Arc::clone(&self.clock)));
        let flight = async move {
            task.await
                .unwrap_or_else(|_| Err(Failure::new(Category::General, "the agent could not finish the request")))
        };
        let flight = flight.boxed().shared();
        flying.insert(request.region.clone(), flight.clone());
        flight
    }
}

/// Waits for the source and puts its answer into the slot.
async fn land(
    slot: Arc<Slot>,
    request: AwsCredentialsRequest,
    asked: BoxFuture<'static, Result<Obtained, Failure>>,
    clock: SharedClock,
) -> Result<Arc<Ready>, Failure> {
    // Frees the slot for the next request even when the source panics.
    let _landing = Landing { slot: &slot, region: &request.region };
    let from = clock.now();
    let ready = asked.await.and_then(|obtained| Ready::new(obtained, from, request.clone()).map(Arc::new));
    match &ready {
        Ok(ready) => slot.ready.store(Some(Arc::clone(ready))),
        Err(failure) => {
            tracing::info!(role = %request.role, category = ?failure.category, "no credentials: {failure}");
            slot.renew_from.store(clock.now().as_second() + RENEWAL_PAUSE_SECONDS, Ordering::Relaxed);
        }
    }
    ready
}

struct Landing<'a> {
    slot: &'a Slot,
    region: &'a Option<String>,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.slot.flying().remove(self.region);
    }
}

impl Slot {
    fn flying(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ready {
    fn new(obtained: Obtained, from: Timestamp, request: AwsCredentialsRequest) -> Result<Self, Failure> {
        let until = obtained.credentials.expiration;
        let reply = Response::Ok(Reply::AwsCredentials(obtained.credentials));
        let mut line = Zeroizing::new(Vec::with_capacity(4096));
        serde_json::to_writer(&mut *line, &reply).map_err(|error| {
            Failure::new(Category::General, format!("cannot put the credentials into words: {error}"))
        })?;
        line.push(b'\n');
        Ok(Self { line, life: Life { from, until }, chain: obtained.chain, request })
    }
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
