//! Leader election: of any number of running operators, one writes.
//!
//! [`elector`] decides, from values and moments alone; [`runner`] asks the API server, with a limit on every request;
//! [`held`] is the proof without which nothing else in this crate can write. The proof ends by itself at the deadline,
//! whatever has become of the program's other parts, and the process ends with it.
//!
//! Why two can never write at once: a holder counts from the moment *before* it sent its last accepted renewal and stops
//! after `renew_deadline`; a request that was under way then ends within `request_timeout`. A candidate counts from the
//! moment *after* it first saw that renewal and waits `duration`, which is at least the sum of both. Both count on clocks
//! that only go forward. What is written in the `Lease` about time is for people; nothing is decided by it.
//!
//! A person who deletes or edits the `Lease` breaks into that. A holder whose renewal is refused therefore writes nothing
//! until it has seen that the `Lease` is still its own and still the same, and never makes it again. A candidate that has
//! seen the `Lease` held waits for that holder although the `Lease` is gone; one that finds none at its first look waits for
//! as long as a holder takes to notice: a holder whose requests are not even answered writes nothing, either.

pub mod elector;
pub mod held;
pub mod runner;
pub mod store;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::{
    elector::{Elector, Loss, Step},
    held::{LeaseHeld, LeaseLost},
    runner::{Campaign, Keeper},
    store::{KubeLease, LeaseStore},
};

/// The command that says which operator acts, and whether one does.
pub const SHOWN_BY: &str = "kubectl get leases --all-namespaces --field-selector metadata.name=vouch-operator";

/// A moment: time since the machine started, its sleep included.
pub type Tick = Duration;

/// A clock that never goes back.
pub trait Ticker: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Tick;
}

/// The machine's own clock since it started.
#[derive(Debug, Clone, Copy, Default)]
pub struct BootClock;

impl Ticker for BootClock {
    fn now(&self) -> Tick {
        // A machine that slept must not believe that no time has passed.
        #[cfg(target_os = "linux")]
        let id = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let id = rustix::time::ClockId::Monotonic;
        let now = rustix::time::clock_gettime(id);
        let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or_default();
        Duration::new(u64::try_from(now.tv_sec).unwrap_or_default(), nanoseconds)
    }
}

/// How long each part of an election takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    duration: Duration,
    renew_deadline: Duration,
    retry_period: Duration,
    request_timeout: Duration,
}

/// Times that two leaders could share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// A request of the old leader could meet one of the new.
    #[error(
        "the lease's duration ({duration:?}) must be at least its renew deadline ({renew_deadline:?}) and a request's \
         timeout ({request_timeout:?}) together, or two leaders could write at once"
    )]
    TooShort {
        /// What was asked for.
        duration: Duration,
        /// What was asked for.
        renew_deadline: Duration,
        /// What was asked for.
        request_timeout: Duration,
    },
    /// One slow answer would cost the lease.
    #[error("the renew deadline ({renew_deadline:?}) must be longer than the retry period ({retry_period:?})")]
    NoSecondTry {
        /// What was asked for.
        renew_deadline: Duration,
        /// What was asked for.
        retry_period: Duration,
    },
    /// A `Lease` counts whole seconds.
    #[error("the lease's duration ({0:?}) must be whole seconds, at least one, and at most ten minutes")]
    NotWholeSeconds(Duration),
}

impl Timing {
    /// The longest duration that is believed of a `Lease`: a damaged one must not keep everybody out for ever.
    pub const LONGEST: Duration = Duration::from_secs(600);

    /// Checks the times.
    ///
    /// # Errors
    /// When two leaders could write at once, or one slow answer would cost the lease.
    pub fn new(
        duration: Duration,
        renew_deadline: Duration,
        retry_period: Duration,
        request_timeout: Duration,
    ) -> Result<Self, TimingError> {
        if duration.subsec_nanos() != 0 || duration.is_zero() || duration > Self::LONGEST {
            return Err(TimingError::NotWholeSeconds(duration));
        }
        if renew_deadline.saturating_add(request_timeout) > duration {
            return Err(TimingError::TooShort { duration, renew_deadline, request_timeout });
        }
        if renew_deadline <= retry_period {
            return Err(TimingError::NoSecondTry { renew_deadline, retry_period });
        }
        Ok(Self { duration, renew_deadline, retry_period, request_timeout })
    }

    /// For how long nobody else may take the lease.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// For how long an accepted renewal lets its holder write.
    #[must_use]
    pub const fn renew_deadline(&self) -> Duration {
        self.renew_deadline
    }

    /// From one look at the lease to the next.
    #[must_use]
    pub const fn retry_period(&self) -> Duration {
        self.retry_period
    }

    /// How long any request of the leader may take.
    #[must_use]
    pub const fn request_timeout(&self) -> Duration {
        self.request_timeout
    }
}
