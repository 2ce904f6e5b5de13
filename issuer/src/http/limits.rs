//! Rate limits per client address and per account.
//!
//! They bound what one client or one person can cost, in CPU and in memory: the limiter itself never remembers more
//! than [`SWEEP_EVERY`] callers that are not being limited.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};
use vouch_issuer_api::error::ErrorCode;

use super::error::ApiError;
use crate::{
    config::{RateLimit, RateLimits},
    store::record::UserId,
};

/// Checks between two sweeps of callers whose budget is full again.
const SWEEP_EVERY: usize = 65_536;

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, MonotonicClock, NoOpMiddleware<Instant>>;

struct Limiter<K: Hash + Eq + Clone> {
    keyed: Keyed<K>,
    checks: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(limit: RateLimit) -> Self {
        let quota = Quota::per_minute(limit.requests_per_minute).allow_burst(limit.burst);
        Self {
            keyed: RateLimiter::new(quota, DashMapStateStore::default(), MonotonicClock),
            checks: AtomicUsize::new(0),
        }
    }

    /// Takes one request out of the budget; `Err` holds the whole seconds until the next is free.
    fn take(&self, key: &K) -> Result<(), u64> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.keyed.retain_recent();
        }
        self.keyed.check_key(key).map_err(|until| until.wait_time_from(MonotonicClock.now()).as_secs() + 1)
    }
}

struct Limiters {
    limits: RateLimits,
    clients: Limiter<IpAddr>,
    accounts: Limiter<UserId>,
}

/// The limits in force: one budget for each client address (an IPv6 /64 counts as one), one for each person, whatever
/// the number of their machines.
pub struct Limits(ArcSwap<Limiters>);

impl Limits {
    /// Full budgets for everybody.
    #[must_use]
    pub fn new(limits: RateLimits) -> Self {
        let (clients, accounts) = (Limiter::new(limits.per_client), Limiter::new(limits.per_user));
        Self(ArcSwap::from_pointee(Limiters { limits, clients, accounts }))
    }

    /// Changes the budgets. Unchanged budgets keep what has been used of them.
    pub fn set(&self, limits: RateLimits) {
        if self.0.load().limits != limits {
            let Self(fresh) = Self::new(limits);
            self.0.store(fresh.load_full());
        }
    }

    /// Takes one request out of the budget of a client address.
    ///
    /// # Errors
    /// `rate_limited`, with the seconds to wait.
    pub fn client(&self, source: IpAddr) -> Result<(), ApiError> {
        let wait = self.0.load().clients.take(&network(source));
        wait.map_err(|seconds| refusal("Too many requests come from this address.", seconds))
    }

    /// Takes one request out of a person's budget.
    ///
    /// # Errors
    /// `rate_limited`, with the seconds to wait.
    pub fn account(&self, user: UserId) -> Result<(), ApiError> {
        let wait = self.0.load().accounts.take(&user);
        wait.map_err(|seconds| refusal("Too many requests are made for this account.", seconds))
    }

    /// Forgets callers whose budget is full again.
    pub fn sweep(&self) {
        let limiters: Arc<Limiters> = self.0.load_full();
        limiters.clients.keyed.retain_recent();
        limiters.accounts.keyed.retain_recent();
        limiters.clients.keyed.shrink_to_fit();
        limiters.accounts.keyed.shrink_to_fit();
    }

    /// Callers remembered now.
    #[must_use]
    pub fn remembered(&self) -> usize {
        let limiters = self.0.load();
        limiters.clients.keyed.len() + limiters.accounts.keyed.len()
    }
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.load().limits.fmt(f)
    }
}

/// One subscriber: an IPv4 address, or the /64 that a host picks its IPv6 addresses from.
pub(super) fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn refusal(description: &str, seconds: u64) -> ApiError {
    let mut error = ApiError::new(ErrorCode::RateLimited, description).hint(format!("Try again in {seconds} s."));
    error.retry_after = Some(seconds);
    error
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::num::NonZeroU32;

    use uuid::Uuid;

    use super::*;

    fn limits(requests_per_minute: u32, burst: u32) -> Limits {
        let limit = RateLimit {
            requests_per_minute: NonZeroU32::new(requests_per_minute).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        };
        Limits::new(RateLimits { per_client: limit, per_user: limit })
    }

    #[test]
    fn refuses_beyond_the_burst_and_says_how_long_to_wait() {
        let limits = limits(1, 2);
        let source = "192.0.2.1".parse().unwrap();
        assert_eq!(limits.client(source), Ok(()));
        assert_eq!(limits.client(source), Ok(()));
        let refusal = limits.client(source).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::RateLimited);
        assert!((1..=60).contains(&refusal.retry_after.unwrap()), "{refusal:?}");
    }

    #[test]
    fn one_caller_does_not_use_up_the_budget_of_another() {
        let limits = limits(1, 1);
        for source in ["192.0.2.1", "192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:2::1"] {
            assert_eq!(limits.client(source.parse().unwrap()), Ok(()), "{source}");
        }
        for _ in 0..2 {
            assert_eq!(limits.account(UserId(Uuid::new_v4())), Ok(()));
        }
    }

    #[test]
    fn a_host_does_not_escape_by_changing_its_ipv6_address_or_spelling() {
        let limits = limits(1, 1);
        assert!(limits.client("2001:db8::1".parse().unwrap()).is_ok());
        assert!(limits.client("2001:db8::2".parse().unwrap()).is_err());
        assert!(limits.client("192.0.2.1".parse().unwrap()).is_ok());
        assert!(limits.client("::ffff:192.0.2.1".parse().unwrap()).is_err());
    }

    #[test]
    fn forgets_callers_whose_budget_is_full_again() {
        let limits = limits(u32::MAX, 1);
        for host in 0..100_000_u32 {
            let _ = limits.client(IpAddr::V4(host.into()));
        }
        assert!(limits.remembered() < 70_000, "{} remembered", limits.remembered());
        limits.sweep();
        assert_eq!(limits.remembered(), 0);
    }

    #[test]
    fn a_reload_with_the_same_limits_forgives_nothing() {
        let limits = limits(1, 1);
        let user = UserId(Uuid::new_v4());
        assert!(limits.account(user).is_ok());
        limits.set(limits.0.load().limits);
        assert!(limits.account(user).is_err());
    }
}
