//! The rotation planner: what should happen to a set of keys now, as a value.
//!
//! Pure. Time enters as `now` and is only ever compared with `date + duration`, so a clock that jumps cannot make a
//! negative age: a date that lies ahead means "not yet". Whatever the clock does, a key is published in an earlier
//! change than the one that lets it sign, and the lead time lies between the two as the clock shows it. A clock that
//! jumps ahead cannot be told from time that passed; that is why the next key is normally published a whole rotation
//! period before it signs.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    algorithm::Algorithm,
    policy::KeyPolicy,
    set::KeySet,
    state::{EXPIRY_GRACE, Key, KeyState, later, seconds_rounded_up},
    thumbprint::Kid,
};

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Action {
    /// Make a key and publish it as the next one.
    Publish {
        /// Of which kind.
        algorithm: Algorithm,
    },
    /// Stop signing with the active key; keep it published.
    Retire {
        /// Which key.
        kid: Kid,
    },
    /// Begin to sign with the next key.
    Activate {
        /// Which key.
        kid: Kid,
    },
    /// Withdraw a key that no living token needs.
    Remove {
        /// Which key.
        kid: Kid,
    },
    /// Note that the active key may sign longer-lived tokens than before.
    RaiseTokenLifetime {
        /// Which key.
        kid: Kid,
        /// The longest life of a token from now on.
        seconds: u64,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish { algorithm } => write!(f, "publish a new {algorithm} key as the next one"),
            Self::Retire { kid } => write!(f, "stop signing with key {kid}"),
            Self::Activate { kid } => write!(f, "begin to sign with key {kid}"),
            Self::Remove { kid } => write!(f, "withdraw key {kid}"),
            Self::RaiseTokenLifetime { kid, seconds } => {
                write!(f, "note that key {kid} signs tokens that live for up to {seconds} s")
            }
        }
    }
}

/// What has to happen to the keys at `now`; empty when nothing does. Once the plan is applied, another plan for the
/// same moment is empty.
#[must_use]
pub fn plan(set: &KeySet, policy: &KeyPolicy, now: Timestamp) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut signing = Vec::new();
    for algorithm in Algorithm::ALL {
        if policy.wants(algorithm) {
            signing.extend(plan_rotation(set, policy, algorithm, now, &mut actions));
        } else {
            plan_phase_out(set, algorithm, &mut actions);
        }
    }
    let removable = set.keys().iter().filter(|key| removable_at(key, policy, &signing).is_some_and(|at| at <= now));
    actions.extend(removable.map(|key| Action::Remove { kid: key.kid().clone() }));
    actions
}

/// The key that signs once the actions are carried out.
fn plan_rotation<'a>(
    set: &'a KeySet,
    policy: &KeyPolicy,
    algorithm: Algorithm,
    now: Timestamp,
    actions: &mut Vec<Action>,
) -> Option<&'a Key> {
    let (active, next) = (set.active(algorithm), set.next(algorithm));
    if let Some(due) = next.filter(|next| activation_at(active, next, policy) <= now) {
        actions.extend(active.map(|key| Action::Retire { kid: key.kid().clone() }));
        actions.push(Action::Activate { kid: due.kid().clone() });
        actions.push(Action::Publish { algorithm });
        return Some(due);
    }
    if next.is_none() {
        actions.push(Action::Publish { algorithm });
    }
    let seconds = seconds_rounded_up(policy.max_token_lifetime());
    actions.extend(
        active
            .filter(|key| matches!(key.state, KeyState::Active { longest_token_seconds, .. } if longest_token_seconds < seconds))
            .map(|key| Action::RaiseTokenLifetime { kid: key.kid().clone(), seconds }),
    );
    active
}

/// An algorithm that is no longer wanted: its key stops signing, and a key that never signed goes at once.
fn plan_phase_out(set: &KeySet, algorithm: Algorithm, actions: &mut Vec<Action>) {
    actions.extend(set.active(algorithm).map(|key| Action::Retire { kid: key.kid().clone() }));
    actions.extend(set.next(algorithm).map(|key| Action::Remove { kid: key.kid().clone() }));
}

/// When the next key takes over from the active one.
fn activation_at(active: Option<&Key>, next: &Key, policy: &KeyPolicy) -> Timestamp {
    let wanted_at = match active.map(|key| key.state) {
        Some(KeyState::Active { activated_at, rotation_requested_at: None, .. }) => {
            later(activated_at, policy.rotation_period())
        }
        _ => Timestamp::MIN,
    };
    wanted_at.max(next.lead_over_at(policy))
}

/// When a retired key may go: it has been kept as long as asked, no token of it is alive, and no cache lacks the key
/// that took over. `None` while that cannot be said, and for keys that are not retired.
pub(crate) fn removable_at(key: &Key, policy: &KeyPolicy, signing: &[&Key]) -> Option<Timestamp> {
    let KeyState::Retired { retired_at, tokens_expire_by, .. } = key.state else { return None };
    let algorithm = key.algorithm();
    let successor_known_at = signing
        .iter()
        .filter(|successor| successor.algorithm() == algorithm || !policy.wants(algorithm))
        .map(|successor| successor.lead_over_at(policy))
        .min()?;
    let kept_until = later(retired_at, policy.retain_retired());
    Some(kept_until.max(later(tokens_expire_by, EXPIRY_GRACE)).max(successor_known_at))
}

/// When the next key takes over, if nothing is changed until then. `None` while there is no next key.
#[must_use]
pub fn next_rotation(set: &KeySet, policy: &KeyPolicy, algorithm: Algorithm) -> Option<Timestamp> {
    Some(activation_at(set.active(algorithm), set.next(algorithm)?, policy))
}

/// The earliest moment at which a plan will not be empty: `now` when it is not empty already.
#[must_use]
pub fn next_transition(set: &KeySet, policy: &KeyPolicy, now: Timestamp) -> Option<Timestamp> {
    if !plan(set, policy, now).is_empty() {
        return Some(now);
    }
    let signing = set.signing();
    let activations = policy.algorithms().filter_map(|algorithm| next_rotation(set, policy, algorithm));
    let removals = set.keys().iter().filter_map(|key| removable_at(key, policy, &signing));
    activations.chain(removals).min()
}
