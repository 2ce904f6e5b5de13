//! The rotation loop. Where another program rotates, it only follows.

use std::time::Duration;

use jiff::Timestamp;
use vouch_keyring::{Change, ChangeKind};

use super::{KeyService, Silence, describe};
use crate::{
    admin::FrontEnd,
    audit::{Action, Event},
    state::SharedIssuer,
};

/// The longest sleep: the clock may be put right meanwhile, and a file that is gone reports no change.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// Clocks of machines that share a store differ a little; more than this is worth a word.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);
/// Between two tries on a store that fails.
const RETRY: Duration = Duration::from_secs(5);
/// Between two readings, however often the store changes.
const BREATH: Duration = Duration::from_millis(200);

/// What to do about a clock that is behind.
#[must_use]
pub fn clock_behind(front_end: &FrontEnd) -> String {
    format!(
        "The dates of the signing keys lie ahead of the clock, and nothing rotates until it has caught up. If the clock is \
         right now: {}",
        front_end.command("keys accept-clock")
    )
}

/// Follows the store, and rotates when it is time and ours to do, until the process ends. Orders are given through
/// `front_end`.
pub async fn maintain(issuer: SharedIssuer, front_end: FrontEnd) {
    let mut changes = issuer.keys.changes();
    let mut reported = None;
    let mut clock_reported = false;
    let mut silence = None;
    loop {
        changes.mark_unchanged();
        let now = issuer.clock.now();
        let sleep = match issuer.keys.refresh(now).await {
            Ok(changes) => {
                if reported.take().is_some() {
                    tracing::info!("the signing keys can be read again");
                }
                changes.iter().for_each(|change| report(&issuer, change));
                let behind = issuer.keys.snapshot().clock_behind;
                let behind = behind.filter(|behind| issuer.keys.rotates() && *behind > CLOCK_TOLERANCE);
                if let Some(behind) = behind.filter(|_| !clock_reported) {
                    tracing::warn!(seconds = behind.as_secs(), "{}", clock_behind(&front_end));
                }
                clock_reported = behind.is_some();
                tell_of_silence(&issuer, &front_end, &mut silence);
                until_next(&issuer.keys, now)
            }
            Err(fault) => {
                let fault = describe(&fault);
                if reported.as_ref() != Some(&fault) {
                    tracing::error!(fault, "the last good signing keys stay in use");
                    reported = Some(fault);
                }
                RETRY
            }
        };
        tokio::time::sleep(BREATH).await;
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            changed = changes.changed() => if changed.is_err() { tokio::time::sleep(sleep).await },
            () = issuer.keys.policy_changed.notified() => {}
        }
    }
}

/// Says once that nothing signs, and once that something does again. `told` is what was said last.
fn tell_of_silence(issuer: &SharedIssuer, front_end: &FrontEnd, told: &mut Option<Silence>) {
    let silence = issuer.keys.snapshot().silence.clone();
    match &silence {
        Some(known) if silence != *told => tracing::warn!("{}", known.with_next_step(front_end, issuer.clock.now())),
        None if told.is_some() => tracing::info!("a key signs again"),
        _ => {}
    }
    *told = silence;
}

fn until_next(keys: &KeyService, now: Timestamp) -> Duration {
    let next = keys.snapshot().next_transition.map(|at| at.duration_since(now));
    let next = next.and_then(|wait| Duration::try_from(wait).ok());
    next.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)
}

fn report(issuer: &SharedIssuer, change: &Change) {
    issuer.audit.record(issuer.clock.now(), &event(change));
    tracing::info!(kid = %change.kid, change = describe_kind(change.kind), "signing key");
}

/// The audit line of a change.
#[must_use]
pub fn event(change: &Change) -> Event {
    Event {
        kid: Some(change.kid.to_string()),
        detail: Some(describe_kind(change.kind).to_owned()),
        ..Event::new(Action::SigningKey)
    }
}

const fn describe_kind(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Published => "published",
        ChangeKind::Activated => "activated",
        ChangeKind::ActivatedEarly => "activated before its lead time was over",
        ChangeKind::Retired => "retired",
        ChangeKind::Removed => "removed",
        ChangeKind::Revoked => "revoked",
        ChangeKind::RotationRequested => "to be replaced as soon as the next key may sign",
        ChangeKind::TokenLifetimeRaised => "may sign longer-lived tokens",
    }
}
