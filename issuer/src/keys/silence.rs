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
            let revoked = last_revoked(set, algorithm)?.clone();
            match set.signer(algorithm, policy) {
                Err(NoSigner::Waiting { until, .. }) => Some(Self { algorithm, revoked, until }),
                _ => None,
            }
        })
    }

    /// For readiness, whose reader finds the next step in the log. `None` when what signs for people and for AWS still
    /// does: that is ES256 alone.
    #[must_use]
    pub fn in_short(&self, now: Timestamp) -> Option<String> {
        let until = moment(self.until, now);
        (self.algorithm == Algorithm::Es256).then(|| {
            format!(
                "nothing signs ES256 until {until}; nobody signs in or gets credentials; what ends it is in the log"
            )
        })
    }

    /// For an administrator, who ends it through `front_end`.
    #[must_use]
    pub fn with_next_step(&self, front_end: &FrontEnd, now: Timestamp) -> String {
        let (algorithm, until) = (self.algorithm, moment(self.until, now));
        let loss = match algorithm {
            Algorithm::Es256 => "no login and no credential before that",
            Algorithm::Rs256 => "logins and credentials of AWS go on, whoever asks for this algorithm waits",
        };
        format!("NOTHING SIGNS {algorithm} until {until}: {loss}. {}", at_once(front_end, &self.revoked))
    }
}

/// What is known of it without a policy, which says for how long a key must have been published before it signs.
#[must_use]
pub fn possible(set: &KeySet, front_end: &FrontEnd, now: Timestamp) -> Option<String> {
    let waiting = |algorithm| set.next(algorithm).filter(|_| set.active(algorithm).is_none());
    Algorithm::ALL.into_iter().find_map(|algorithm| {
        let (next, revoked) = (waiting(algorithm)?, last_revoked(set, algorithm)?);
        Some(format!(
            "NOTHING SIGNS {algorithm} until a running issuer finds the next key, published {}, as old as its manifest's \
             spec.signingKeys.publishLead. {}",
            moment(next.published_at(), now),
            at_once(front_end, revoked)
        ))
    })
}

fn last_revoked(set: &KeySet, algorithm: Algorithm) -> Option<&Kid> {
    set.revoked().iter().rfind(|key| key.algorithm == algorithm).map(|key| &key.kid)
}

fn at_once(front_end: &FrontEnd, revoked: &Kid) -> String {
    let command = front_end.let_next_key_sign(revoked);
    format!("To let the next key sign now, although verifiers may not know it yet: {command}")
}
