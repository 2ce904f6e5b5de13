//! Time, given to whoever needs it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};

/// Tells the time. Decisions take a `Timestamp`; only the edges hold a clock.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that several owners share.
pub type SharedClock = Arc<dyn Clock>;

/// The issuer's time: a local clock corrected by the difference last seen in a `Date` header.
///
/// Sessions and credentials end by somebody else's clock, so a laptop whose own clock is wrong still knows when.
pub struct IssuerClock {
    local: SharedClock,
    /// Local minus issuer, in milliseconds; `i64::MIN` while nothing was compared.
    offset_ms: AtomicI64,
}

const UNKNOWN: i64 = i64::MIN;

/// A `Date` header counts whole seconds and is as old as the answer's way home: less than this is no difference.
const NOISE_MS: i64 = 2_000;

impl IssuerClock {
    /// Nothing compared yet: local time.
    #[must_use]
    pub fn new(local: SharedClock) -> Self {
        Self { local, offset_ms: AtomicI64::new(UNKNOWN) }
    }

    /// This machine's time.
    #[must_use]
    pub fn local(&self) -> Timestamp {
        self.local.now()
    }

    /// Takes note that the issuer's clock showed `remote` between the local moments `before` and `after`.
    pub fn compare(&self, before: Timestamp, remote: Timestamp, after: Timestamp) {
        let middle = before.as_millisecond().midpoint(after.as_millisecond());
        // The header cuts fractions off: on average half a second.
        let offset = middle - (remote.as_millisecond() + 500);
        self.offset_ms.store(offset, Ordering::Relaxed);
    }

    /// Local minus issuer, in milliseconds, when they were compared.
    #[must_use]
    pub fn offset_ms(&self) -> Option<i64> {
        Some(self.offset_ms.load(Ordering::Relaxed)).filter(|offset| *offset != UNKNOWN)
    }
}

impl Clock for IssuerClock {
    fn now(&self) -> Timestamp {
        let local = self.local.now();
        match self.offset_ms() {
            Some(offset) if offset.abs() > NOISE_MS => {
                local.checked_sub(SignedDuration::from_millis(offset)).unwrap_or(local)
            }
            _ => local,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A clock that stands until it is moved.
    pub(crate) struct ManualClock(Mutex<Timestamp>);

    impl ManualClock {
        pub(crate) fn at(text: &str) -> Arc<Self> {
            Arc::new(Self(Mutex::new(text.parse().unwrap_or(Timestamp::UNIX_EPOCH))))
        }

        pub(crate) fn advance(&self, seconds: i64) {
            if let Ok(mut now) = self.0.lock() {
                *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(*now);
            }
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> Timestamp {
            self.0.lock().map_or(Timestamp::UNIX_EPOCH, |now| *now)
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_clock_that_is_six_minutes_fast_is_corrected() {
        let manual = ManualClock::at("2026-11-21T10:06:00Z");
        let clock = IssuerClock::new(manual.clone());
        let local = manual.now();
        clock.compare(local, local - SignedDuration::from_mins(6), local);
        assert_eq!(clock.offset_ms(), Some(359_500));
        let error = clock.now().as_millisecond() - at(manual.now().as_second() - 360).as_millisecond();
        assert!(error.abs() <= 500, "{error}");
    }

    #[test]
    fn a_difference_within_the_noise_of_the_header_changes_nothing() {
        let manual = ManualClock::at("2026-11-21T10:00:01Z");
        let clock = IssuerClock::new(manual.clone());
        clock.compare(manual.now(), manual.now() - SignedDuration::from_secs(1), manual.now());
        assert_eq!(clock.now(), manual.now());
    }

    #[test]
    fn before_any_comparison_it_is_local_time() {
        let manual = ManualClock::at("2026-11-21T10:00:01Z");
        let clock = IssuerClock::new(manual.clone());
        assert_eq!((clock.offset_ms(), clock.now()), (None, manual.now()));
    }
}
