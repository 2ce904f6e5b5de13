//! What has happened to an issuer's keys between two reports, and how people are told.
//!
//! It is read from the difference of the reports, so that a crash between a change and its report loses no event, and no
//! event is told before the change is in force.

use std::cmp::Reverse;

use vouch_crds::issuer::{KeyState, KeyStatus, SigningAlgorithm};
use vouch_keyring::{EXPIRY_GRACE, Key, KeyPolicy, KeySet, KeyState as Stage, Lead, next_rotation};

use super::{
    change::Notice,
    report::{moment, short},
};
use crate::reason::Reason;

/// What has happened to a key between two reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The key.
    pub kid: String,
    /// What it signs.
    pub algorithm: SigningAlgorithm,
    /// What has happened.
    pub reason: Reason,
}

/// What has happened to the keys, in the order in which it is told.
#[must_use]
pub fn transitions(before: &[KeyStatus], after: &[KeyStatus]) -> Vec<Transition> {
    let state = |keys: &[KeyStatus], kid: &str| keys.iter().find(|key| key.kid == kid).map(|key| key.state);
    let mut found = Vec::new();
    for key in after {
        let reasons: &[Reason] = match (state(before, &key.kid), key.state) {
            (None, KeyState::Next) => &[Reason::KeyPublished],
            (None, KeyState::Active) => &[Reason::KeyPublished, Reason::KeyActivated],
            (Some(KeyState::Next), KeyState::Active) => &[Reason::KeyActivated],
            (Some(KeyState::Next), KeyState::Retired) => &[Reason::KeyActivated, Reason::KeyRetired],
            (None | Some(KeyState::Active), KeyState::Retired) => &[Reason::KeyRetired],
            (None | Some(KeyState::Next | KeyState::Active | KeyState::Retired), KeyState::Revoked) => {
                &[Reason::KeyRevoked]
            }
            _ => &[],
        };
        found.extend(reasons.iter().map(|reason| transition(key, *reason)));
    }
    let gone = before.iter().filter(|key| key.state != KeyState::Revoked && state(after, &key.kid).is_none());
    found.extend(gone.map(|key| match key.state {
        KeyState::Active => transition(key, Reason::KeyLost),
        _ => transition(key, Reason::KeyRemoved),
    }));
    // What people must act upon comes first, and a new key before the one that it replaces.
    found.sort_by_key(|transition| Reverse(weight(transition.reason)));
    found
}

fn transition(key: &KeyStatus, reason: Reason) -> Transition {
    Transition { kid: key.kid.clone(), algorithm: key.algorithm, reason }
}

const fn weight(reason: Reason) -> u8 {
    match reason {
        Reason::KeyLost => 5,
        Reason::KeyRevoked => 4,
        Reason::KeyActivated => 3,
        Reason::KeyRetired => 2,
        Reason::KeyPublished => 1,
        _ => 0,
    }
}

/// What people are told of transitions. A key that retires because another took over is named with that one.
#[must_use]
pub fn notices(transitions: &[Transition], set: &KeySet, policy: &KeyPolicy) -> Vec<Notice> {
    let told = transitions.iter().filter(|transition| {
        let replaced = |other: &&Transition| {
            other.reason == Reason::KeyActivated
                && other.algorithm == transition.algorithm
                && other.kid != transition.kid
        };
        transition.reason != Reason::KeyRetired || transitions.iter().find(replaced).is_none()
    });
    told.map(|transition| notice(transition, transitions, set, policy)).collect()
}

fn notice(transition: &Transition, all: &[Transition], set: &KeySet, policy: &KeyPolicy) -> Notice {
    let key = transition.kid.parse().ok().and_then(|kid| set.key(&kid));
    let name = short(&transition.kid);
    let (reason, note) = match transition.reason {
        Reason::KeyPublished => {
            let from = key.filter(|key| key.state() == Stage::Next);
            let from = from.and_then(|key| next_rotation(set, policy, key.algorithm()));
            let from = from.map(|from| format!(" and will sign from {} on", moment(from))).unwrap_or_default();
            (Reason::KeyPublished, format!("{name} is published{from}"))
        }
        Reason::KeyActivated => {
            let retired = all
                .iter()
                .filter(|other| other.reason == Reason::KeyRetired && other.algorithm == transition.algorithm)
                .map(|other| format!("; {} retired{}", short(&other.kid), published_until(&other.kid, set, policy)));
            let note = format!("{name} now signs{}", retired.collect::<String>());
            if key.is_some_and(waived) {
                let note =
                    format!("{note}; verifiers that keep an older key set refuse its tokens until they read it again");
                (Reason::KeyActivatedEarly, note)
            } else {
                (Reason::KeyActivated, note)
            }
        }
        Reason::KeyRetired => {
            let until = published_until(&transition.kid, set, policy);
            (Reason::KeyRetired, format!("{name} does not sign any more{until}"))
        }
        Reason::KeyRevoked => {
            let note = "is withdrawn for ever: verifiers refuse its tokens when they next read the key set, and every \
                        session signed with it is over";
            (Reason::KeyRevoked, format!("{name} {note}"))
        }
        Reason::KeyLost => {
            let note = "signed until now and is not in the Secret any more, which was replaced by an older one: tokens and \
                        sessions that it signed are refused";
            (Reason::KeyLost, format!("{name} {note}"))
        }
        _ => (Reason::KeyRemoved, format!("{name} is not published any more")),
    };
    Notice::new(reason, note)
}

fn waived(key: &Key) -> bool {
    matches!(key.state(), Stage::Active { lead: Lead::Waived, .. })
}

/// Until when a retired key stays published, at least.
fn published_until(kid: &str, set: &KeySet, policy: &KeyPolicy) -> String {
    let key = kid.parse().ok().and_then(|kid| set.key(&kid));
    let Some(Stage::Retired { retired_at, tokens_expire_by, .. }) = key.map(Key::state) else { return String::new() };
    let kept = retired_at.checked_add(policy.retain_retired());
    let needed = tokens_expire_by.checked_add(EXPIRY_GRACE);
    match (kept, needed) {
        (Ok(kept), Ok(needed)) => format!(", published until {}", moment(kept.max(needed))),
        _ => String::new(),
    }
}
