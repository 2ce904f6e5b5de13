//! Nothing signs: the active key was revoked, and verifiers may not know the next one yet.
//!
//! Whoever looks, gives an order or reads the log is told the same, with what ends it.

use jiff::Timestamp;
use vouch_keyring::{Algorithm, KeyPolicy, KeySet, Kid, NoSigner};

use crate::admin::{FrontEnd, moment};

/// No key of an algorithm may sign since one was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    algorithm: Algorithm,
    /// The last key of the algorithm that was revoked.
    revoked: Kid,
    /// When the next key will sign.
    until: Timestamp,
}

impl Silence {
    /// Of the first algorithm that nothing signs with.
    #[must_use]
    pub fn of(set: &KeySet, policy: &KeyPolicy) -> Option<Self> {
        policy.algorithms().find_map(|algorithm| {
            let revoked = set.revoked().iter().rfind(|key| key.algorithm == algorithm)?.kid.clone();
            match set.signer(algorithm, policy) {
                Err(NoSigner::Waiting { until, .. }) => Some(Self { algorithm, revoked, until }),
                _ => None,
            }
        })
    }

    /// For readiness, whose reader finds the next step in the log.
    #[must_use]
    pub fn in_short(&self, now: Timestamp) -> String {
        let (algorithm, until) = (self.algorithm, moment(self.until, now));
        format!(
            "nothing signs {algorithm} until {until}; nobody signs in or gets credentials; what ends it is in the log"
        )
    }

    /// For an administrator, who ends it through `front_end`.
    #[must_use]
    pub fn with_next_step(&self, front_end: &FrontEnd, now: Timestamp) -> String {
        let (algorithm, until) = (self.algorithm, moment(self.until, now));
        format!(
            "NOTHING SIGNS {algorithm} until {until}: no login and no credential before that. To let the next key sign \
             now, although verifiers may not know it yet: {}",
            front_end.let_next_key_sign(&self.revoked)
        )
    }
}
