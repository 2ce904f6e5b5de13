//! Remembers proofs until their nonce has expired, so that none is taken twice (RFC 9449 §11.1).

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::Timestamp;

use super::{Proof, nonce::REPLAY_WINDOW};

/// Proofs taken within one window at most; about 20 MB are in use when it is reached.
const CAPACITY: usize = 1 << 20;

/// Why a proof is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It has been taken before.
    #[error("the proof has been used before")]
    Replayed,
    /// There is no room to remember it. Taking it anyway would make it replayable.
    #[error("too many proofs at the same time")]
    Full,
}

/// Proofs taken by this replica within the last one to two windows.
///
/// Only proofs of verified requests are put in: nobody without a session can fill it. A proof is kept as 64 bits under
/// a random key; two that collide, one pair in 2^64, cost the second caller one retry.
///
/// It is empty after a restart, so proofs with a nonce from before [`ReplayGuard::begun`] are no longer taken.
#[derive(Debug)]
pub struct ReplayGuard {
    /// In microseconds.
    begun: AtomicI64,
    hasher: RandomState,
    capacity: usize,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    current: HashSet<u64>,
    previous: HashSet<u64>,
    /// When `current` becomes `previous`.
    turn: Timestamp,
}

impl ReplayGuard {
    /// Remembers from `now` on. For requests that begin later.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self::with_capacity(CAPACITY, now)
    }

    pub(super) fn with_capacity(capacity: usize, begun: Timestamp) -> Self {
        let seen = Seen { current: HashSet::new(), previous: HashSet::new(), turn: Timestamp::MIN };
        let begun = AtomicI64::new(begun.as_microsecond());
        Self { begun, hasher: RandomState::new(), capacity, seen: Mutex::new(seen) }
    }

    /// When it began to remember: the start of the process. Once the clock has been set back to before that, the first
    /// look at it since; otherwise no nonce would be taken until the clock has caught up.
    #[must_use]
    pub fn begun(&self, now: Timestamp) -> Timestamp {
        let begun = self.begun.fetch_min(now.as_microsecond(), Ordering::Relaxed);
        Timestamp::from_microsecond(begun).map_or(now, |begun| begun.min(now))
    }

    /// Takes a verified proof, once.
    ///
    /// # Errors
    /// [`ReplayError::Replayed`] the second time; [`ReplayError::Full`] when it cannot be remembered.
    pub fn take(&self, proof: &Proof, now: Timestamp) -> Result<(), ReplayError> {
        let mark = self.hasher.hash_one((&proof.thumbprint, &proof.jti));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= seen.turn {
            // After a pause of more than one window nothing of either set can still be replayed.
            let stale = now.duration_since(seen.turn) >= REPLAY_WINDOW;
            let last = std::mem::take(&mut seen.current);
            seen.previous = if stale { HashSet::new() } else { last };
            seen.turn = now.saturating_add(REPLAY_WINDOW).unwrap_or(Timestamp::MAX);
        }
        if seen.previous.contains(&mark) || seen.current.contains(&mark) {
            return Err(ReplayError::Replayed);
        }
        if seen.current.len() >= self.capacity {
            return Err(ReplayError::Full);
        }
        seen.current.insert(mark);
        Ok(())
    }
}
