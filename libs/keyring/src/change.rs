//! Carrying out plans. Every step is checked against the laws again, so that a plan that was made for another set,
//! or for another moment, is refused as a whole.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    algorithm::Algorithm,
    key::{KeyError, KeyGenerator},
    plan::{Action, plan, removable_at},
    policy::KeyPolicy,
    set::KeySet,
    state::{Key, KeyState, Lead, later, seconds_rounded_up},
    thumbprint::Kid,
};

/// What every change of a set needs.
#[derive(Clone, Copy)]
pub struct ChangeContext<'a> {
    /// How keys rotate.
    pub policy: &'a KeyPolicy,
    /// Where new keys come from.
    pub generator: &'a dyn KeyGenerator,
    /// The present moment.
    pub now: Timestamp,
}

/// Something that happened to a key, for audit lines and events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The key.
    pub kid: Kid,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// What happened to it.
    pub kind: ChangeKind,
}

impl Change {
    pub(crate) fn of(key: &Key, kind: ChangeKind) -> Self {
        Self { kid: key.kid().clone(), algorithm: key.algorithm(), kind }
    }
}

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It was made and published as the next one.
    Published,
    /// It began to sign after the lead time.
    Activated,
    /// It began to sign before the lead time was over, in an emergency.
    ActivatedEarly,
    /// An operator asked for its replacement.
    RotationRequested,
    /// It stopped signing.
    Retired,
    /// It is no longer published; its time was over.
    Removed,
    /// It is no longer published, on an operator's order.
    Revoked,
    /// It may sign longer-lived tokens from now on.
    TokenLifetimeRaised,
}

/// Why a change was refused. Nothing has changed; plan again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The key is not in the set.
    #[error("there is no key {0} in the set; plan again")]
    NoSuchKey(Kid),
    /// The key is not in the state the step needs.
    #[error("key {kid} is {state}; the step needs one that is {needed}; plan again")]
    WrongState {
        /// Which key.
        kid: Kid,
        /// Its state.
        state: &'static str,
        /// What the step needs.
        needed: &'static str,
    },
    /// There is such a key already.
    #[error("there is a key for {algorithm} that is {state} already; plan again")]
    Occupied {
        /// Of which kind.
        algorithm: Algorithm,
        /// The state that only one key may have.
        state: &'static str,
    },
    /// Verifiers may not know the key yet.
    #[error("key {kid} must not sign before {until}: verifiers may not know it yet")]
    LeadNotOver {
        /// Which key.
        kid: Kid,
        /// When it may.
        until: Timestamp,
    },
    /// A token or a cache may still need the key.
    #[error("key {kid} is still needed by tokens or caches of verifiers; plan again later")]
    StillNeeded {
        /// Which key.
        kid: Kid,
    },
    /// The last key.
    #[error("key {kid} is the last one published; a set is never empty")]
    LastKey {
        /// Which key.
        kid: Kid,
    },
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl KeySet {
    /// Carries out a plan, wholly or not at all.
    ///
    /// # Errors
    /// When a step is not lawful for this set at `context.now`. The set is then unchanged.
    pub fn apply(&mut self, actions: &[Action], context: &ChangeContext<'_>) -> Result<Vec<Change>, ChangeError> {
        let mut changed = self.clone();
        let changes = actions.iter().map(|action| changed.step(action, context)).collect::<Result<_, _>>()?;
        *self = changed;
        Ok(changes)
    }

    /// Does what is due.
    ///
    /// # Errors
    /// When no key can be made. The set is then unchanged.
    pub fn advance(&mut self, context: &ChangeContext<'_>) -> Result<Vec<Change>, ChangeError> {
        self.apply(&plan(self, context.policy, context.now), context)
    }

    fn step(&mut self, action: &Action, context: &ChangeContext<'_>) -> Result<Change, ChangeError> {
        match action {
            Action::Publish { algorithm } => self.step_publish(*algorithm, context),
            Action::Retire { kid } => self.step_retire(kid, context),
            Action::Activate { kid } => self.step_activate(kid, context),
            Action::Remove { kid } => self.step_remove(kid, context),
            Action::RaiseTokenLifetime { kid, seconds } => self.step_raise(kid, *seconds),
        }
    }

    fn step_publish(&mut self, algorithm: Algorithm, context: &ChangeContext<'_>) -> Result<Change, ChangeError> {
        if self.next(algorithm).is_some() {
            return Err(ChangeError::Occupied { algorithm, state: "next" });
        }
        Ok(Change::of(self.publish(algorithm, context)?, ChangeKind::Published))
    }

    fn step_retire(&mut self, kid: &Kid, context: &ChangeContext<'_>) -> Result<Change, ChangeError> {
        let retired_at = self.stamp(context.now);
        let key = self.key_mut(kid)?;
        let KeyState::Active { activated_at, lead, longest_token_seconds, .. } = key.state else {
            return Err(wrong_state(key, "active"));
        };
        let seconds = longest_token_seconds.max(seconds_rounded_up(context.policy.max_token_lifetime()));
        let tokens_expire_by = later(retired_at, Duration::from_secs(seconds));
        key.state = KeyState::Retired { activated_at, lead, retired_at, tokens_expire_by };
        Ok(Change::of(key, ChangeKind::Retired))
    }

    fn step_activate(&mut self, kid: &Kid, context: &ChangeContext<'_>) -> Result<Change, ChangeError> {
        let key = self.key(kid).ok_or_else(|| ChangeError::NoSuchKey(kid.clone()))?;
        if !key.is_next() {
            return Err(wrong_state(key, "next"));
        }
        let algorithm = key.algorithm();
        if self.active(algorithm).is_some() {
            return Err(ChangeError::Occupied { algorithm, state: "active" });
        }
        let until = key.lead_over_at(context.policy);
        if until > context.now {
            return Err(ChangeError::LeadNotOver { kid: kid.clone(), until });
        }
        let change = Change::of(key, ChangeKind::Activated);
        self.begin_signing(kid, Lead::Observed, context);
        Ok(change)
    }

    fn step_remove(&mut self, kid: &Kid, context: &ChangeContext<'_>) -> Result<Change, ChangeError> {
        let key = self.key(kid).ok_or_else(|| ChangeError::NoSuchKey(kid.clone()))?;
        let never_needed = key.is_next() && !context.policy.wants(key.algorithm());
        let outlived = removable_at(key, context.policy, &self.signing()).is_some_and(|at| at <= context.now);
        if !(never_needed || outlived) {
            return Err(ChangeError::StillNeeded { kid: kid.clone() });
        }
        if self.keys.len() == 1 {
            return Err(ChangeError::LastKey { kid: kid.clone() });
        }
        let change = Change::of(key, ChangeKind::Removed);
        self.keys.retain(|key| key.kid() != kid);
        Ok(change)
    }

    fn step_raise(&mut self, kid: &Kid, seconds: u64) -> Result<Change, ChangeError> {
        let key = self.key_mut(kid)?;
        let KeyState::Active { longest_token_seconds, .. } = &mut key.state else {
            return Err(wrong_state(key, "active"));
        };
        *longest_token_seconds = seconds.max(*longest_token_seconds);
        Ok(Change::of(key, ChangeKind::TokenLifetimeRaised))
    }

    /// The caller has made sure that the key may sign and that no other of its algorithm does.
    pub(crate) fn begin_signing(&mut self, kid: &Kid, lead: Lead, context: &ChangeContext<'_>) {
        let activated_at = self.stamp(context.now);
        let longest_token_seconds = seconds_rounded_up(context.policy.max_token_lifetime());
        for key in self.keys.iter_mut().filter(|key| key.kid() == kid) {
            key.state = KeyState::Active { activated_at, lead, longest_token_seconds, rotation_requested_at: None };
        }
    }

    fn key_mut(&mut self, kid: &Kid) -> Result<&mut Key, ChangeError> {
        self.keys.iter_mut().find(|key| key.kid() == kid).ok_or_else(|| ChangeError::NoSuchKey(kid.clone()))
    }
}

fn wrong_state(key: &Key, needed: &'static str) -> ChangeError {
    ChangeError::WrongState { kid: key.kid().clone(), state: key.state.name(), needed }
}
