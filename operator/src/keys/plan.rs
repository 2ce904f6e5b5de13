//! What is to be done about an issuer's Secrets: a pure decision.
//!
//! It makes keys only where there never were any, or where a person has given the old ones up in so many words.

use std::fmt;

use jiff::Timestamp;
use vouch_crds::names::{root_secret, signing_keys};
use vouch_keyring::{KeySet, Kid};

use super::{
    declared::Declared,
    fault::KeyFault,
    observe::{KeySecret, Root},
    orders::{Handled, Order, Pending},
};

/// Keys that are stored.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The keys.
    pub set: KeySet,
    /// The orders that made them what they are.
    pub handled: Handled,
}

/// What is to be done about the signing keys.
#[derive(Debug, Clone)]
pub enum KeyPlan {
    /// Nothing is due.
    Keep(InForce),
    /// Store other keys than before.
    Write(Work),
    /// Leave them alone.
    Stand(KeyFault),
}

/// What becomes of the signing keys.
#[derive(Debug, Clone)]
pub enum Work {
    /// They are made. The Secret is made, too, or overwritten when it holds what nobody can read.
    Make {
        /// Whether an administrator has given up the keys that were there.
        given_up: bool,
        /// What is recorded as carried out.
        handled: Handled,
    },
    /// Orders are carried out, and what is due.
    Change {
        /// The keys as they are.
        from: InForce,
        /// Keys that were revoked and have come back. They are withdrawn before anything else is done, or an order about
        /// one of them could let another one sign.
        resurrected: Vec<Kid>,
        /// In this order.
        orders: Vec<Pending>,
    },
}

impl fmt::Display for KeyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(_) => f.write_str("nothing is due"),
            Self::Write(Work::Make { given_up: false, .. }) => f.write_str("make the first keys"),
            Self::Write(Work::Make { given_up: true, .. }) => {
                f.write_str("make new keys in the place of those that were given up")
            }
            Self::Write(Work::Change { orders, .. }) if orders.is_empty() => f.write_str("do what is due"),
            Self::Write(Work::Change { orders, .. }) => {
                let orders = orders.iter().map(|order| format!("{}: {}", order.annotation, order.value));
                write!(f, "carry out {}, and what is due", orders.collect::<Vec<_>>().join(", "))
            }
            Self::Stand(fault) => fault.fmt(f),
        }
    }
}

/// Decides about the signing keys.
#[must_use]
pub fn plan(stored: Option<&KeySecret>, declared: &Declared, now: Timestamp) -> KeyPlan {
    let secret = signing_keys::name(&declared.name);
    let initialized_at = declared.initialized_at();
    let given_up = initialized_at.is_some_and(|at| declared.orders.give_up(at));
    let make = || KeyPlan::Write(Work::Make { given_up, handled: declared.orders.outlived(given_up) });
    let Some(stored) = stored else {
        return match initialized_at {
            Some(initialized_at) if !given_up => KeyPlan::Stand(KeyFault::Missing { secret, initialized_at }),
            _ => make(),
        };
    };
    if stored.url.as_ref() != Some(&declared.url) {
        return KeyPlan::Stand(declared.foreign(secret, stored.url.clone()));
    }
    match &stored.set {
        Err(_) if given_up => make(),
        Err(damage) => KeyPlan::Stand(KeyFault::Unreadable { secret, damage: damage.clone(), initialized_at }),
        Ok(set) => {
            let from = InForce { set: set.clone(), handled: stored.handled.clone() };
            keep_or_change(from, stored.labelled, declared, now)
        }
    }
}

fn keep_or_change(from: InForce, labelled: bool, declared: &Declared, now: Timestamp) -> KeyPlan {
    let mut orders = declared.orders.pending(&from.handled);
    let resurrected = declared.resurrected(&from.set);
    if let Some(kid) = resurrected.first() {
        orders.retain(|pending| matches!(pending.order, Ok(Order::Revoke { .. })));
        return match orders.is_empty() {
            true => KeyPlan::Stand(declared.restored(kid)),
            false => KeyPlan::Write(Work::Change { from, resurrected, orders }),
        };
    }
    let due = !vouch_keyring::plan(&from.set, &declared.policy, now).is_empty();
    match orders.is_empty() && !due && labelled {
        true => KeyPlan::Keep(from),
        false => KeyPlan::Write(Work::Change { from, resurrected, orders }),
    }
}

/// What is to be done about the root secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootPlan {
    /// It is there.
    Keep,
    /// Make it. Losing it costs the pending invites and nothing else, so it is made again when it is gone.
    Make,
    /// Leave it alone.
    Stand(KeyFault),
}

/// Decides about the root secret.
#[must_use]
pub fn plan_root(root: &Root, declared: &Declared) -> RootPlan {
    let secret = root_secret::name(&declared.name);
    match root {
        Root::Absent => RootPlan::Make,
        Root::Sound => RootPlan::Keep,
        Root::Damaged(length) => RootPlan::Stand(KeyFault::RootDamaged { secret, length: *length }),
        Root::Foreign(found) => RootPlan::Stand(declared.foreign(secret, Some(found.clone()))),
    }
}
