//! Time, given to whoever needs it.

use std::sync::Arc;

use jiff::Timestamp;

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
