//! Carries out what the elector decides: requests with a limit, sleeps, and the proof for the rest of the program.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures::FutureExt as _;
use jiff::Timestamp;
use kube::Client;
use tokio::sync::watch;

use super::{
    Tick, Ticker, Timing,
    elector::{Elector, Loss, Refusal, Step},
    held::{Hold, LeaseHeld},
    store::{LeaseError, LeaseStore},
};

/// How many requests giving the lease back may take: a look and a write, and both again when an earlier write of this
/// process, whose answer nobody waited for, was done in between.
const RELEASE_REQUESTS: usize = 4;

/// What an election shows to people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether this replica leads.
    pub leading: bool,
    /// Who does, as far as is known.
    pub holder: Option<String>,
    /// Why the lease cannot be read or written; `None` while it can, and before the first try.
    pub fault: Option<String>,
    /// Whether the lease has been read once.
    pub known: bool,
}

/// A candidate that does not lead yet.
pub struct Campaign<S> {
    elector: Elector,
    timing: Timing,
    store: S,
    ticker: Arc<dyn Ticker>,
    standing: watch::Sender<Standing>,
}

/// Keeps a lease that is held.
pub struct Keeper<S> {
    campaign: Campaign<S>,
    hold: Arc<Hold>,
}

impl<S: LeaseStore> Campaign<S> {
    /// A candidate. `identity` belongs to this process alone.
    #[must_use]
    pub fn new(identity: String, timing: Timing, store: S, ticker: Arc<dyn Ticker>) -> Self {
        let standing = watch::Sender::new(Standing::default());
        Self { elector: Elector::new(identity, timing), timing, store, ticker, standing }
    }

    /// How it stands, for readiness and metrics.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Returns when this candidate leads, or `None` when `stop` ends before: a lease that was taken meanwhile is given
    /// back. `base` is the client through which the proof writes.
    pub async fn win(mut self, base: Client, stop: impl Future<Output = ()>) -> Option<(LeaseHeld, Keeper<S>)> {
        let mut stop = pin!(stop);
        let until = loop {
            if let Some(until) = self.elector.leads_until() {
                break until;
            }
            let stopped = match self.elector.next(self.ticker.now(), Timestamp::now()) {
                Step::Rest { until } => tokio::select! {
                    () = &mut stop => true,
                    () = self.rest(until) => false,
                },
                // To its end: a write that nobody waits for may be done all the same.
                step => {
                    self.carry_out(step).await;
                    (&mut stop).now_or_never().is_some()
                }
            };
            self.show();
            if stopped {
                self.release().await;
                return None;
            }
        };
        let hold = Arc::new(Hold::new(Arc::clone(&self.ticker)));
        hold.extend(until);
        let held = LeaseHeld::new(Arc::clone(&hold), base, self.timing.request_timeout());
        Some((held, Keeper { campaign: self, hold }))
    }

    async fn rest(&self, until: Tick) {
        tokio::time::sleep(until.saturating_sub(self.ticker.now())).await;
    }

    async fn carry_out(&mut self, step: Step) {
        let limit = self.timing.request_timeout();
        match step {
            Step::Rest { until } => self.rest(until).await,
            Step::Read => {
                let answer = limited(limit, self.store.read()).await;
                let now = self.ticker.now();
                match answer {
                    Ok(found) => {
                        self.elector.read(found, now);
                        self.note(None);
                    }
                    Err(error) => {
                        self.elector.read_failed(now);
                        self.note(Some(&error));
                    }
                }
            }
            Step::Write(claim) => {
                let started = self.ticker.now();
                let answer = limited(limit, self.store.write(claim)).await;
                self.note(answer.as_ref().err().filter(|error| !matches!(error, LeaseError::Conflict)));
                self.elector.wrote(answer.map_err(|error| refusal(&error)), started, self.ticker.now());
            }
            Step::End(_) => {}
        }
    }

    /// Gives the lease back if it is ours. Somebody who stops has no time to try for long.
    async fn release(&mut self) {
        let limit = self.timing.request_timeout().saturating_mul(2);
        if tokio::time::timeout(limit, self.try_to_release()).await != Ok(true) {
            tracing::warn!("the lease could not be released; the next leader waits until it has run out");
        }
    }

    async fn try_to_release(&mut self) -> bool {
        for _ in 0..RELEASE_REQUESTS {
            match self.elector.release(Timestamp::now()) {
                None => return true,
                Some(Step::Write(claim)) => {
                    let started = self.ticker.now();
                    match limited(self.timing.request_timeout(), self.store.write(claim)).await {
                        Ok(_) => {
                            tracing::info!("released the lease");
                            return true;
                        }
                        Err(error) => self.elector.wrote(Err(refusal(&error)), started, self.ticker.now()),
                    }
                }
                Some(step) => self.carry_out(step).await,
            }
        }
        false
    }

    fn note(&self, error: Option<&LeaseError>) {
        let (fault, away) = (error.map(|error| crate::failure::chain(error)), error.is_some_and(LeaseError::is_outage));
        self.standing.send_modify(|standing| {
            match &fault {
                // Once, however often it happens, and in whatever words a connection fails.
                Some(_) if away && standing.fault.is_some() => {}
                Some(fault) if standing.fault.as_ref() != Some(fault) => tracing::warn!("{fault}"),
                Some(_) => {}
                None if standing.fault.is_some() => tracing::info!("the lease can be read and written again"),
                None => {}
            }
            standing.known |= fault.is_none();
            standing.fault = fault;
        });
    }

    fn show(&self) {
        let (leading, holder) = (self.elector.leads_until().is_some(), self.elector.holder().map(ToOwned::to_owned));
        self.standing.send_if_modified(|standing| {
            let changed = standing.leading != leading || standing.holder != holder;
            if changed {
                tracing::info!(leading, holder = holder.as_deref().unwrap_or("nobody"), "lease");
                (standing.leading, standing.holder) = (leading, holder);
            }
            changed
        });
    }
}

impl<S: LeaseStore> Keeper<S> {
    /// Keeps the lease until `done` ends, then gives it back.
    ///
    /// Whoever ends `done` has stopped writing: the next leader may begin at once.
    ///
    /// # Errors
    /// When the lease is lost before. The proof is void by then, and the process must end.
    pub async fn keep(mut self, done: impl Future<Output = ()>) -> Result<(), Loss> {
        let outcome = tokio::select! {
            loss = self.renew() => Err(loss),
            () = done => Ok(()),
        };
        self.hold.end();
        if outcome.is_ok() {
            self.campaign.release().await;
        }
        outcome
    }

    async fn renew(&mut self) -> Loss {
        loop {
            let now = self.campaign.ticker.now();
            match self.campaign.elector.next(now, Timestamp::now()) {
                Step::End(loss) => {
                    self.hold.end();
                    self.campaign.show();
                    return loss;
                }
                step => {
                    // A request must not keep this loop from seeing that the deadline is over.
                    let left = self.campaign.elector.deadline().map_or(Tick::ZERO, |until| until.saturating_sub(now));
                    if tokio::time::timeout(left, self.campaign.carry_out(step)).await.is_err() {
                        continue;
                    }
                    match self.campaign.elector.leads_until() {
                        Some(until) => self.hold.extend(until),
                        None => self.hold.end(),
                    }
                    self.campaign.show();
                }
            }
        }
    }
}

const fn refusal(error: &LeaseError) -> Refusal {
    match error {
        LeaseError::Conflict => Refusal::Conflict,
        LeaseError::Unavailable(_) => Refusal::Unknown,
    }
}

async fn limited<T>(limit: Duration, answer: impl Future<Output = Result<T, LeaseError>>) -> Result<T, LeaseError> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(LeaseError::Unavailable(Box::new(super::held::NoAnswer(limit)))),
    }
}
