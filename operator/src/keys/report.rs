//! What is reported of an issuer's keys: the part of the status, and the condition.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use vouch_crds::{
    issuer::{KeyState, KeyStatus, SigningAlgorithm, VouchIssuerStatus},
    names::{annotation, condition},
};
use vouch_keyring::{Algorithm, Key, KeySet, KeyState as Stage, NoSigner, Tombstone, next_rotation, next_transition};

use super::{declared::Declared, fault::KeyFault, orders::Handled, plan::InForce};
use crate::{
    failure::Category,
    issuer::status::KeysReport,
    reason::Reason,
    status::{Finding, Truth},
};

/// Clocks of machines differ a little; more than this is worth a word.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);
/// Characters of a key id by which people know it.
const SHORT: usize = 8;

/// A moment, as people read it.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A key id, as people read it.
pub(super) fn short(kid: &str) -> String {
    kid.chars().take(SHORT).chain(['…']).collect()
}

/// The report of keys that are in force. `fault` is what is wrong beside them.
#[must_use]
pub fn report(keys: &InForce, fault: Option<&KeyFault>, declared: &Declared, now: Timestamp) -> KeysReport {
    let (set, policy) = (&keys.set, &declared.policy);
    let initialized_at = initialized_at(set, &keys.handled, declared.initialized_at());
    KeysReport {
        finding: finding(set, initialized_at, fault, declared, now),
        active_key: set.active(Algorithm::Es256).map(|key| key.kid().to_string()),
        next_rotation: next_rotation(set, policy, Algorithm::Es256).map(Time),
        initialized_at: initialized_at.map(Time),
        keys: statuses(set, &declared.status.keys),
        handled_orders: keys.handled.by_annotation().clone(),
        readable: true,
        next_transition: next_transition(set, policy, now).filter(|at| *at > now),
    }
}

/// The report of keys that were let be: what was known stays, and the condition says why. Nobody can read them now.
#[must_use]
pub fn unchanged(status: &VouchIssuerStatus, finding: Finding) -> KeysReport {
    KeysReport {
        finding,
        active_key: status.active_key.clone(),
        next_rotation: status.next_rotation.clone(),
        initialized_at: status.keys_initialized_at.clone(),
        keys: status.keys.clone(),
        handled_orders: status.handled_orders.clone(),
        readable: false,
        next_transition: None,
    }
}

/// The condition of keys that cannot be used.
#[must_use]
pub fn faulty(fault: &KeyFault) -> Finding {
    Finding::new(condition::KEYS_READY, false, fault.reason(), fault.to_string())
}

/// The condition after a pass that did not come to its end.
#[must_use]
pub fn undecided(category: Category, why: String) -> Finding {
    match category {
        Category::Invalid => Finding::new(condition::KEYS_READY, false, Reason::Invalid, why),
        _ => Finding::new(condition::KEYS_READY, Truth::Unknown, Reason::NotApplied, why),
    }
}

fn finding(
    set: &KeySet,
    initialized_at: Option<Timestamp>,
    fault: Option<&KeyFault>,
    declared: &Declared,
    now: Timestamp,
) -> Finding {
    let waiting = declared.policy.algorithms().find_map(|algorithm| match set.signer(algorithm, &declared.policy) {
        Err(NoSigner::Waiting { until, .. }) => Some((algorithm, moment(until))),
        _ => None,
    });
    let not_ready = |reason, message: String| Finding::new(condition::KEYS_READY, false, reason, message);
    if let Some((Algorithm::Es256, until)) = &waiting {
        let message = format!(
            "Nothing signs until {until}, so nobody can sign in: the next key is not yet known to every verifier.{}",
            at_once(set, declared)
        );
        return not_ready(Reason::NothingSigns, message);
    }
    if let Some(fault) = fault {
        return faulty(fault);
    }
    if set.clock_behind_by(now).is_some_and(|behind| behind > CLOCK_TOLERANCE) {
        let message = format!(
            "The dates of the keys lie ahead of the operator's clock, and nothing rotates until it has caught up. If the \
             clock is right now: {} (or a new value of the annotation {})",
            declared.front_end().command("accept-clock"),
            annotation::ACCEPT_CLOCK
        );
        return not_ready(Reason::ClockBehind, message);
    }
    let signing = set.active(Algorithm::Es256).map(|key| format!("; {} signs", short(key.kid().as_str())));
    let mut message = format!("{} keys are published{}.", set.keys().len(), signing.unwrap_or_default());
    if let Some((algorithm, until)) = waiting {
        message.push_str(&format!(" {algorithm} tokens are signed from {until} on."));
    }
    if initialized_at.is_some_and(|at| declared.orders.give_up(at)) {
        message.push_str(&format!(" Remove {}: these keys are not lost.", annotation::RECREATE_KEYS));
    }
    Finding::new(condition::KEYS_READY, true, Reason::AsDeclared, message)
}

/// How to let the next key sign before every verifier knows it, when one was revoked: the command that `kubectl vouch rotate`
/// names, too, and what it writes.
fn at_once(set: &KeySet, declared: &Declared) -> String {
    let revoked = set.revoked().last().map(|tombstone| &tombstone.kid);
    let way = revoked.map(|kid| {
        format!(
            " To let it sign at once, although some refuse its tokens at first: {} (or \"{kid},now\" in the annotation {})",
            declared.front_end().let_next_key_sign(kid),
            annotation::REVOKE_KEY
        )
    });
    way.unwrap_or_default()
}

/// When the keys were made, in whole seconds, as a status has it. Keys that were made in the place of others have a
/// later moment than those, whatever the clock said, so that no order can name both.
fn initialized_at(set: &KeySet, handled: &Handled, recorded: Option<Timestamp>) -> Option<Timestamp> {
    let oldest = set.keys().iter().map(Key::published_at).min();
    let oldest = oldest.and_then(|at| Timestamp::from_second(at.as_second()).ok());
    match recorded {
        None => oldest,
        Some(recorded) if handled.gave_up(recorded) => {
            let later = recorded.checked_add(SignedDuration::from_secs(1)).unwrap_or(recorded);
            Some(oldest.map_or(later, |oldest| oldest.max(later)))
        }
        Some(recorded) => Some(recorded),
    }
}

/// Every published key, and every key that was ever known to be revoked: a backup that knows less must not make that
/// forgotten.
fn statuses(set: &KeySet, previous: &[KeyStatus]) -> Vec<KeyStatus> {
    let remembered = || previous.iter().filter(|key| key.state == KeyState::Revoked);
    let published = set.keys().iter().map(status).filter(|key| !remembered().any(|revoked| revoked.kid == key.kid));
    let revoked = set.revoked().iter().map(|tombstone| {
        let known = previous.iter().find(|key| key.kid == tombstone.kid.as_str());
        tombstone_status(tombstone, known)
    });
    let mut keys: Vec<KeyStatus> = published.chain(revoked).collect();
    let forgotten = remembered().filter(|revoked| !set.revoked().iter().any(|known| known.kid.as_str() == revoked.kid));
    keys.extend(forgotten.cloned());
    keys.sort_by(|a, b| a.published_at.cmp(&b.published_at));
    keys
}

fn tombstone_status(tombstone: &Tombstone, known: Option<&KeyStatus>) -> KeyStatus {
    let revoked_at = whole(tombstone.revoked_at);
    KeyStatus {
        kid: tombstone.kid.to_string(),
        algorithm: algorithm(tombstone.algorithm),
        state: KeyState::Revoked,
        published_at: known.map_or_else(|| revoked_at.clone(), |key| key.published_at.clone()),
        activated_at: known.and_then(|key| key.activated_at.clone()),
        retired_at: Some(revoked_at),
    }
}

fn status(key: &Key) -> KeyStatus {
    let (state, activated_at, retired_at) = match key.state() {
        Stage::Next => (KeyState::Next, None, None),
        Stage::Active { activated_at, .. } => (KeyState::Active, Some(activated_at), None),
        Stage::Retired { activated_at, retired_at, .. } => (KeyState::Retired, Some(activated_at), Some(retired_at)),
    };
    KeyStatus {
        kid: key.kid().to_string(),
        algorithm: algorithm(key.algorithm()),
        state,
        published_at: whole(key.published_at()),
        activated_at: activated_at.map(whole),
        retired_at: retired_at.map(whole),
    }
}

/// As the API server keeps it.
fn whole(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

const fn algorithm(algorithm: Algorithm) -> SigningAlgorithm {
    match algorithm {
        Algorithm::Es256 => SigningAlgorithm::Es256,
        Algorithm::Rs256 => SigningAlgorithm::Rs256,
    }
}
