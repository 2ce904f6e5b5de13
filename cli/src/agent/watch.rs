//! What goes on beside a session as long as it lasts: hearing of its end from the issuer, and keeping its credentials
//! fresh.
//!
//! Losing the network is no reason to end a session; only the issuer's word and the clock are.

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    backoff::{background_pause, jittered},
    protocol::EndReason,
    session::{Grant, Keeper, Session},
};

/// How long the issuer holds a watch open: under the minute after which many proxies cut silent connections.
const WATCH_SECONDS: u32 = 50;

/// Wall clocks jump when a laptop wakes, timers do not: look often enough.
const TEND_EVERY: Duration = Duration::from_secs(15);

/// An answer sooner than this, without any news, means that something between does not hold requests.
const TOO_SOON: Duration = Duration::from_secs(1);

/// Stays with `session` until it is over, then takes it from `keeper`.
pub async fn stay_with(keeper: Arc<Keeper>, session: Arc<Session>) {
    let reason = tokio::select! {
        reason = session.grant.finished() => reason,
        () = tend(&session) => EndReason::Expired,
        never = listen(&session.grant) => match never {},
    };
    tracing::info!(?reason, "session over");
    keeper.end(&session, reason);
}

/// Renews credentials; returns when the session's time is over.
async fn tend(session: &Session) {
    while !session.has_expired() {
        session.credentials.tend();
        sleep(TEND_EVERY).await;
    }
}

/// Asks the issuer again and again whether the session goes on. [`Grant::heed`] notices when it does not.
async fn listen(grant: &Grant) -> Infallible {
    let mut failures = 0;
    loop {
        let asked = Instant::now();
        match grant.heed(grant.client.watch_session(&grant.bound, WATCH_SECONDS).await) {
            Ok(()) if asked.elapsed() >= TOO_SOON => failures = 0,
            Ok(()) => pause(&mut failures).await,
            Err(error) => {
                tracing::debug!("watch: {}", error.into_failure());
                pause(&mut failures).await;
            }
        }
    }
}

async fn pause(failures: &mut u32) {
    sleep(jittered(background_pause(*failures))).await;
    *failures = failures.saturating_add(1);
}
