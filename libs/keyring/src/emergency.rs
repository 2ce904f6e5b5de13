//! What an operator may order: rotate now, revoke a key, let the next key sign early, accept the clock.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    algorithm::Algorithm,
    change::{Change, ChangeContext, ChangeError, ChangeKind},
    set::KeySet,
    state::{KeyState, Lead, Tombstone},
    thumbprint::Kid,
};

/// Whether a key may sign before its lead time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadRule {
    /// It may not. There is no signer until the lead time is over.
    Keep,
    /// It may. Verifiers that cached an older JWKS refuse tokens until they read it again. The key records it.
    Waive,
}

/// Why a key was not revoked. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// It has been.
    #[error("key {kid} was revoked at {revoked_at} already")]
    AlreadyRevoked {
        /// Which key.
        kid: Kid,
        /// When.
        revoked_at: Timestamp,
    },
    /// No such key is published.
    #[error("there is no key {0} in the set; list the keys to see their ids")]
    NoSuchKey(Kid),
    /// Its replacement could not be made.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl KeySet {
    /// Rotates every algorithm now where the next key has been published for the lead time; where it has not, marks
    /// the active key so that the planner rotates at the first lawful moment ([`crate::next_transition`]).
    ///
    /// # Errors
    /// When no key can be made. The set is then unchanged.
    pub fn force_rotation(&mut self, context: &ChangeContext<'_>) -> Result<Vec<Change>, ChangeError> {
        let mut changed = self.clone();
        let asked_at = changed.stamp(context.now);
        let mut changes = Vec::new();
        for key in &mut changed.keys {
            if let KeyState::Active { rotation_requested_at: asked @ None, .. } = &mut key.state {
                *asked = Some(asked_at);
                changes.push(Change::of(key, ChangeKind::RotationRequested));
            }
        }
        changes.extend(changed.advance(context)?);
        *self = changed;
        Ok(changes)
    }

    /// Withdraws a key at once: tokens it signed stop verifying as soon as verifiers read the JWKS again.
    ///
    /// When it was the signing key, the next one takes over if its lead time is over or waived; otherwise nothing
    /// signs until it is, and [`KeySet::signer`] says when. Where more than one key is compromised, revoke the next
    /// key before the active one.
    ///
    /// # Errors
    /// When the key is not published, or no replacement can be made. The set is then unchanged.
    pub fn revoke(
        &mut self,
        kid: &Kid,
        lead: LeadRule,
        context: &ChangeContext<'_>,
    ) -> Result<Vec<Change>, RevokeError> {
        if let Some(Tombstone { revoked_at, .. }) = self.revoked.iter().find(|tombstone| tombstone.kid == *kid) {
            return Err(RevokeError::AlreadyRevoked { kid: kid.clone(), revoked_at: *revoked_at });
        }
        let key = self.key(kid).ok_or_else(|| RevokeError::NoSuchKey(kid.clone()))?;
        let algorithm = key.algorithm();
        let mut changes = vec![Change::of(key, ChangeKind::Revoked)];
        let mut changed = self.clone();
        let revoked_at = changed.stamp(context.now);
        changed.keys.retain(|key| key.kid() != kid);
        changed.revoked.push(Tombstone { kid: kid.clone(), algorithm, revoked_at });
        changes.extend(changed.advance(context)?);
        if lead == LeadRule::Waive {
            changes.extend(changed.waive_lead(algorithm, context)?);
        }
        *self = changed;
        Ok(changes)
    }

    /// Lets the next key of an algorithm sign at once where no key does. Does nothing where one does.
    ///
    /// # Errors
    /// When no key can be made. The set is then unchanged.
    pub fn waive_lead(
        &mut self,
        algorithm: Algorithm,
        context: &ChangeContext<'_>,
    ) -> Result<Vec<Change>, ChangeError> {
        let mut changed = self.clone();
        let mut changes = changed.advance(context)?;
        if changed.active(algorithm).is_none()
            && let Some(next) = changed.next(algorithm)
        {
            let change = Change::of(next, ChangeKind::ActivatedEarly);
            changed.begin_signing(&change.kid, Lead::Waived, context);
            changes.push(change);
            changes.extend(changed.advance(context)?);
        }
        *self = changed;
        Ok(changes)
    }

    /// Takes the clock's word over the set's: every date that lies ahead of `context.now` becomes that. Tells
    /// whether there was one.
    ///
    /// For the day after a clock was far ahead, when nothing would rotate until the date it showed then. The
    /// operator vouches that the clock is right now; a date only moves to a later moment than the true one.
    pub fn accept_clock(&mut self, context: &ChangeContext<'_>) -> bool {
        let now = context.now;
        if self.latest_date().is_none_or(|latest| latest <= now) {
            return false;
        }
        for key in &mut self.keys {
            key.published_at = key.published_at.min(now);
            match &mut key.state {
                KeyState::Next => {}
                KeyState::Active { activated_at, rotation_requested_at, .. } => {
                    *activated_at = now.min(*activated_at);
                    *rotation_requested_at = rotation_requested_at.map(|at| at.min(now));
                }
                KeyState::Retired { activated_at, retired_at, tokens_expire_by, .. } => {
                    *activated_at = now.min(*activated_at);
                    if *retired_at > now {
                        let token_lifetime = tokens_expire_by.duration_since(*retired_at);
                        *retired_at = now;
                        *tokens_expire_by = now.checked_add(token_lifetime).unwrap_or(Timestamp::MAX);
                    }
                }
            }
        }
        for tombstone in &mut self.revoked {
            tombstone.revoked_at = tombstone.revoked_at.min(now);
        }
        true
    }

    /// How far the set's dates lie ahead of the clock; `None` when they do not. Nothing rotates before the clock has
    /// caught up ([`KeySet::accept_clock`]).
    #[must_use]
    pub fn clock_behind_by(&self, now: Timestamp) -> Option<Duration> {
        let ahead = self.latest_date()?.duration_since(now);
        Duration::try_from(ahead).ok().filter(|ahead| !ahead.is_zero())
    }
}
