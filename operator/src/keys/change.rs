//! Carrying out a plan on a set of keys, in memory. Nothing is in force before it is stored.

use jiff::Timestamp;
use vouch_keyring::{
    Algorithm, ChangeContext, ChangeError, ChangeKind, KeySet, Kid, LeadRule, RevokeError, next_rotation,
};

use super::{
    orders::{Handled, Order, Pending},
    plan::{InForce, Work},
    report::moment,
};
use crate::reason::Reason;

/// Something that people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// In one word.
    pub reason: Reason,
    /// In a sentence.
    pub note: String,
}

impl Notice {
    pub(super) fn new(reason: Reason, note: impl Into<String>) -> Self {
        Self { reason, note: note.into() }
    }

    fn refused(pending: &Pending, why: &str) -> Self {
        Self::new(
            Reason::OrderRefused,
            format!("{}: \"{}\" was not carried out: {why}", pending.annotation, pending.value),
        )
    }
}

/// Keys that are to be stored.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The keys.
    pub keys: InForce,
    /// What the one who gave the orders should know once they are stored.
    pub notices: Vec<Notice>,
}

/// Does the work of a plan. An order that cannot be carried out is refused once, and recorded like the others.
///
/// # Errors
/// When no key can be made.
pub fn carry_out(work: Work, context: &ChangeContext<'_>) -> Result<Changed, ChangeError> {
    let (InForce { mut set, handled }, resurrected, orders) = match work {
        Work::Change { from, resurrected, orders } => (from, resurrected, orders),
        Work::Make { handled, .. } => {
            let (set, _) = KeySet::initialize(context)?;
            return Ok(Changed { keys: InForce { set, handled }, notices: Vec::new() });
        }
    };
    for kid in &resurrected {
        withdraw(&mut set, kid, context)?;
    }
    let mut notices = Vec::new();
    for pending in &orders {
        notices.extend(match &pending.order {
            Err(error) => Some(Notice::refused(pending, &error.to_string())),
            Ok(Order::AcceptClock) => Some(accept_clock(&mut set, pending, context)),
            Ok(Order::Rotate) => rotate(&mut set, context)?,
            Ok(Order::Revoke { kid, lead }) => revoke(&mut set, kid, *lead, pending, context)?,
        });
    }
    set.advance(context)?;
    let handled = orders.iter().fold(handled, Handled::and);
    Ok(Changed { keys: InForce { set, handled }, notices })
}

/// Revokes a key again. What else could be said against it has been said when it was revoked first.
fn withdraw(set: &mut KeySet, kid: &Kid, context: &ChangeContext<'_>) -> Result<(), ChangeError> {
    match set.revoke(kid, LeadRule::Keep, context) {
        Err(RevokeError::Change(error)) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn accept_clock(set: &mut KeySet, pending: &Pending, context: &ChangeContext<'_>) -> Notice {
    if set.accept_clock(context) {
        Notice::new(Reason::ClockAccepted, "Dates of the keys that lay ahead of the clock are now; rotation goes on.")
    } else {
        Notice::refused(pending, "no date of the keys lies ahead of the clock")
    }
}

/// A rotation that happens at once is told as such when it is reported.
fn rotate(set: &mut KeySet, context: &ChangeContext<'_>) -> Result<Option<Notice>, ChangeError> {
    let changes = set.force_rotation(context)?;
    if changes.iter().any(|change| change.kind == ChangeKind::Activated) {
        return Ok(None);
    }
    let at = Algorithm::ALL.into_iter().filter_map(|algorithm| next_rotation(set, context.policy, algorithm)).min();
    let from = at.map(|at: Timestamp| moment(at.max(context.now))).unwrap_or_default();
    let note = format!(
        "The next key signs from {from} on: until then verifiers may not have read it. If the active key has leaked, \
         revoke it instead."
    );
    Ok(Some(Notice::new(Reason::RotationOrdered, note)))
}

fn revoke(
    set: &mut KeySet,
    kid: &Kid,
    lead: LeadRule,
    pending: &Pending,
    context: &ChangeContext<'_>,
) -> Result<Option<Notice>, ChangeError> {
    match set.revoke(kid, lead, context) {
        Ok(_) => Ok(None),
        // The second step of an emergency: revoked first, and found to sign nothing since.
        Err(RevokeError::AlreadyRevoked { .. }) if lead == LeadRule::Waive => {
            for algorithm in Algorithm::ALL {
                set.waive_lead(algorithm, context)?;
            }
            Ok(None)
        }
        Err(RevokeError::Change(error)) => Err(error),
        Err(error) => Ok(Some(Notice::refused(pending, &error.to_string()))),
    }
}
