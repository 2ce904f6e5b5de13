//! The decisions of an election. No I/O, no clock: moments come in as values.

use std::time::Duration;

use jiff::Timestamp;

use super::{Tick, Timing};

/// The `Lease` as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; `None` when it was released.
    pub holder: Option<String>,
    /// For how long its holder asks others to wait.
    pub duration: Option<Duration>,
    /// How often it has changed hands.
    pub transitions: i32,
    /// When its holder took it, for people.
    pub acquired_at: Option<Timestamp>,
    /// When its holder renewed it, for people.
    pub renewed_at: Option<Timestamp>,
    /// Which write this is.
    pub revision: Revision,
}

/// A write of a `Lease`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Another one after the `Lease` was deleted and made again. Without it the API server would take the renewal of a
    /// `Lease` that is gone for the making of a new one.
    pub uid: String,
    /// Changes with every write.
    pub version: String,
}

/// What to write, provided that nobody has written meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The holder; `None` to release it.
    pub holder: Option<String>,
    /// For how long others are to wait.
    pub duration: Duration,
    /// How often it has changed hands.
    pub transitions: i32,
    /// When the holder took it.
    pub acquired_at: Timestamp,
    /// The present moment.
    pub renewed_at: Timestamp,
    /// The write to replace; `None` to create the `Lease`.
    pub replaces: Option<Revision>,
}

/// Why a write was not done, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody has written meanwhile, or the `Lease` is gone.
    Conflict,
    /// No answer, or a failure: it may have been done or not.
    Unknown,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing, until then.
    Rest {
        /// When to ask again.
        until: Tick,
    },
    /// Read the `Lease`.
    Read,
    /// Write the `Lease`.
    Write(Claim),
    /// Stop: the lease was held and is not any more.
    End(Loss),
}

/// How a lease was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// No renewal was accepted in time.
    #[error("the lease could not be renewed in time")]
    Deadline,
    /// Somebody else has it.
    #[error("the lease was taken by {0}")]
    Taken(String),
    /// It was taken away.
    #[error("the lease was released or deleted by somebody else")]
    Withdrawn,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Following,
    Leading {
        until: Tick,
        /// A renewal was refused, and nobody has looked yet at who has the lease.
        doubted: bool,
    },
    Lost(Loss),
}

/// One candidate.
#[derive(Debug, Clone)]
pub struct Elector {
    identity: String,
    timing: Timing,
    phase: Phase,
    /// The last reading, or the answer to the last write.
    record: Option<Record>,
    /// Whether `record` may be written over; otherwise it is read first.
    fresh: bool,
    /// Whether anything has been read.
    looked: bool,
    /// The last write may have been done, or not.
    unsure: bool,
    /// Not before then may the lease be taken from somebody else.
    others_until: Tick,
    /// When something is to be done next.
    due: Tick,
}

impl Elector {
    /// A candidate that has seen nothing. `identity` belongs to it alone.
    #[must_use]
    pub fn new(identity: String, timing: Timing) -> Self {
        Self {
            identity,
            timing,
            phase: Phase::Following,
            record: None,
            fresh: false,
            looked: false,
            unsure: false,
            others_until: Tick::ZERO,
            due: Tick::ZERO,
        }
    }

    /// Until when this candidate may write; `None` when it may not.
    #[must_use]
    pub fn leads_until(&self) -> Option<Tick> {
        match self.phase {
            Phase::Leading { until, doubted: false } => Some(until),
            Phase::Leading { .. } | Phase::Following | Phase::Lost(_) => None,
        }
    }

    /// When a lease that is held runs out unless it is renewed, whether this candidate may write now or not.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        match self.phase {
            Phase::Leading { until, .. } => Some(until),
            Phase::Following | Phase::Lost(_) => None,
        }
    }

    /// Who holds the lease, as far as is known.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.record.as_ref()?.holder.as_deref()
    }

    /// What to do at `now`. `wall` is what people read on the clock; nothing depends on it.
    pub fn next(&mut self, now: Tick, wall: Timestamp) -> Step {
        if self.deadline().is_some_and(|until| until <= now) {
            self.phase = Phase::Lost(Loss::Deadline);
        }
        match &self.phase {
            Phase::Lost(loss) => Step::End(loss.clone()),
            Phase::Leading { until, .. } if now < self.due => Step::Rest { until: self.due.min(*until) },
            Phase::Following if now < self.due => Step::Rest { until: self.due },
            Phase::Leading { .. } | Phase::Following if !self.fresh => Step::Read,
            Phase::Leading { .. } | Phase::Following => {
                self.unsure = true;
                Step::Write(self.claim(wall))
            }
        }
    }

    /// Takes in a reading that ended at `now`; `None` when there is no `Lease`.
    pub fn read(&mut self, found: Option<Record>, now: Tick) {
        self.wait_for_others(found.as_ref(), now);
        let holder = found.as_ref().and_then(|record| record.holder.clone());
        let ours = holder.as_ref() == Some(&self.identity);
        let same = found.as_ref().is_some_and(|found| self.is_same(found));
        self.record = found;
        self.looked = true;
        self.unsure = false;
        if let Phase::Leading { until, .. } = self.phase {
            (self.fresh, self.due) = (ours, now);
            self.phase = match holder {
                Some(_) if ours && same => Phase::Leading { until, doubted: false },
                Some(other) if !ours => Phase::Lost(Loss::Taken(other)),
                _ => Phase::Lost(Loss::Withdrawn),
            };
            return;
        }
        self.fresh = ours || now >= self.others_until;
        self.due = if self.fresh { now } else { self.others_until.min(now.saturating_add(self.timing.retry_period)) };
    }

    /// Not before when the lease may be taken from whom a reading shows, or might have shown a moment earlier.
    fn wait_for_others(&mut self, found: Option<&Record>, now: Tick) {
        match found {
            Some(record) if self.record.as_ref() != found => {
                self.others_until = match record.holder {
                    Some(_) => now.saturating_add(self.patience(record)),
                    // Released by its holder, unless it was made anew: that says nothing of who had the one before.
                    None if !self.looked || self.is_same(record) => now,
                    None => self.others_until,
                };
            }
            // Somebody may have held it until a person deleted it, and finds out at the next renewal.
            None if !self.looked => {
                let renewal = self.timing.retry_period.saturating_add(self.timing.request_timeout);
                self.others_until = now.saturating_add(renewal);
            }
            Some(_) | None => {}
        }
    }

    /// Whether it is the `Lease` that was seen before; in between two of them anybody may have had it.
    fn is_same(&self, found: &Record) -> bool {
        self.record.as_ref().is_some_and(|before| before.revision.uid == found.revision.uid)
    }

    /// Notes that a reading failed at `now`.
    pub fn read_failed(&mut self, now: Tick) {
        self.fresh = false;
        self.due = now.saturating_add(self.timing.retry_period);
    }

    /// Takes in the answer to a write that was sent at `started`.
    pub fn wrote(&mut self, answer: Result<Record, Refusal>, started: Tick, now: Tick) {
        match answer {
            Ok(record) => {
                let until = started.saturating_add(self.timing.renew_deadline);
                self.record = Some(record);
                self.fresh = true;
                self.unsure = false;
                self.due = started.saturating_add(self.timing.retry_period);
                // An answer that came too late makes no leader; the next renewal may.
                if until > now || self.deadline().is_some() {
                    self.phase = Phase::Leading { until, doubted: false };
                }
            }
            Err(Refusal::Unknown) => {
                self.fresh = false;
                self.due = now.saturating_add(self.timing.retry_period);
            }
            Err(Refusal::Conflict) => {
                self.fresh = false;
                self.unsure = false;
                self.due = now.saturating_add(self.timing.retry_period);
                if let Phase::Leading { until, .. } = self.phase {
                    self.phase = Phase::Leading { until, doubted: true };
                    self.due = now;
                }
            }
        }
    }

    /// What to do next, at the end, so that the next one need not wait: read the `Lease` when it is not known whether it
    /// is ours, then write it. `None` when it is not ours.
    #[must_use]
    pub fn release(&self, wall: Timestamp) -> Option<Step> {
        let ours = self.record.as_ref().filter(|record| record.holder.as_ref() == Some(&self.identity));
        if self.unsure || (ours.is_some() && !self.fresh) {
            return Some(Step::Read);
        }
        let record = ours?;
        Some(Step::Write(Claim {
            holder: None,
            duration: Duration::from_secs(1),
            transitions: record.transitions,
            acquired_at: record.acquired_at.unwrap_or(wall),
            renewed_at: wall,
            replaces: Some(record.revision.clone()),
        }))
    }

    fn claim(&self, wall: Timestamp) -> Claim {
        let transitions = self.record.as_ref().map_or(0, |record| record.transitions);
        let ours = self.record.as_ref().filter(|record| record.holder.as_ref() == Some(&self.identity));
        Claim {
            holder: Some(self.identity.clone()),
            duration: self.timing.duration,
            transitions: match (ours, &self.record) {
                (None, Some(_)) => transitions.saturating_add(1),
                _ => transitions,
            },
            acquired_at: ours.and_then(|record| record.acquired_at).unwrap_or(wall),
            renewed_at: wall,
            replaces: self.record.as_ref().map(|record| record.revision.clone()),
        }
    }

    /// How long a holder is waited for: as long as it asked, within reason.
    fn patience(&self, record: &Record) -> Duration {
        let asked = record.duration.filter(|asked| !asked.is_zero()).unwrap_or(self.timing.duration);
        asked.min(Timing::LONGEST)
    }
}
