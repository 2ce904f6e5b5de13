//! The states of a key, each with the dates that decide what may happen next.
//!
//! A state is a field of its own, never implied by order or by time. A revoked key has no state: it is gone, and a
//! [`Tombstone`] keeps its id.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{algorithm::Algorithm, key::PrivateKey, policy::KeyPolicy, thumbprint::Kid};

/// How long after `exp` AWS still accepts a token (measured against AWS; other verifiers allow less).
pub const EXPIRY_GRACE: Duration = Duration::from_secs(300);

/// A published key.
#[derive(Debug, Clone)]
pub struct Key {
    pub(crate) private: PrivateKey,
    pub(crate) published_at: Timestamp,
    pub(crate) state: KeyState,
}

/// Where a published key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyState {
    /// Published so that verifiers learn it; does not sign.
    Next,
    /// Signs.
    Active {
        /// When it began to sign.
        activated_at: Timestamp,
        /// Why it may sign.
        lead: Lead,
        /// The longest life of any token it may have signed, in seconds.
        longest_token_seconds: u64,
        /// When an operator asked for it to be replaced as soon as that is lawful.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rotation_requested_at: Option<Timestamp>,
    },
    /// Published so that the tokens it signed still verify; does not sign.
    Retired {
        /// When it began to sign.
        activated_at: Timestamp,
        /// Why it was allowed to.
        lead: Lead,
        /// When it stopped.
        retired_at: Timestamp,
        /// The latest `exp` of any token it signed.
        tokens_expire_by: Timestamp,
    },
}

/// Why a key was allowed to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lead {
    /// It had been published for the lead time.
    Observed,
    /// It belongs to the first set of the issuer: no verifier can hold an older one.
    Founding,
    /// An operator waived the lead time in an emergency.
    Waived,
}

/// What remains of a revoked key, so that a restored backup cannot bring it back unnoticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone {
    /// The key.
    pub kid: Kid,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// When it was withdrawn.
    pub revoked_at: Timestamp,
}

impl Key {
    /// Its id.
    #[must_use]
    pub fn kid(&self) -> &Kid {
        self.private.kid()
    }

    /// Its algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.private.algorithm()
    }

    /// When verifiers could first see it. Keys are published as they are made.
    #[must_use]
    pub fn published_at(&self) -> Timestamp {
        self.published_at
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> KeyState {
        self.state
    }

    pub(crate) fn is_next(&self) -> bool {
        matches!(self.state, KeyState::Next)
    }

    pub(crate) fn is_active(&self) -> bool {
        matches!(self.state, KeyState::Active { .. })
    }

    /// When every verifier that caches a JWKS for no longer than the lead time knows it.
    #[must_use]
    pub fn lead_over_at(&self, policy: &KeyPolicy) -> Timestamp {
        later(self.published_at, policy.publish_lead())
    }

    /// The latest moment this key's own record names, other than those that lie ahead on purpose.
    pub(crate) fn latest_date(&self) -> Timestamp {
        match self.state {
            KeyState::Next => self.published_at,
            KeyState::Active { activated_at, rotation_requested_at, .. } => {
                self.published_at.max(activated_at).max(rotation_requested_at.unwrap_or(activated_at))
            }
            KeyState::Retired { retired_at, .. } => self.published_at.max(retired_at),
        }
    }
}

impl KeyState {
    /// One word, for metrics and status: `next`, `active`, `retired`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active { .. } => "active",
            Self::Retired { .. } => "retired",
        }
    }
}

/// `from + by`, or the end of time.
pub(crate) fn later(from: Timestamp, by: Duration) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Whole seconds, rounded up.
pub(crate) fn seconds_rounded_up(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}
