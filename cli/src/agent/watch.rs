//! What goes on beside a session as long as it lasts: hearing of its end from the issuer, and keeping its credentials
//! fresh.
//!
//! Losing the network is no reason to end a session; only the issuer's word and the clock are.

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use vouch_issuer_api::error::ErrorCode;

use super::{
    backoff::{background_pause, courteous_pause, jittered},
    issuer_error::IssuerError,
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
            outcome => {
                let pause = pause_after(outcome.as_ref().err(), failures);
                if let Err(error) = outcome {
                    tracing::debug!("watch: {}", error.into_failure());
                }
                sleep(jittered(pause)).await;
                failures = failures.saturating_add(1);
            }
        }
    }
}

/// How long until the issuer is asked again after `failures` attempts that brought nothing.
fn pause_after(error: Option<&IssuerError>, failures: u32) -> Duration {
    match error {
        Some(IssuerError::Refused { code: ErrorCode::RateLimited, .. }) => courteous_pause(failures),
        _ => background_pause(failures),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Category, Failure};

    #[test]
    fn an_issuer_that_is_away_is_asked_every_other_second_and_one_that_is_busy_less_and_less() {
        let away = IssuerError::Failed(Failure::new(Category::Network, "away"));
        let busy = IssuerError::Refused {
            code: ErrorCode::RateLimited,
            failure: Failure::new(Category::Network, "too many requests"),
        };
        assert_eq!(pause_after(Some(&away), 9), Duration::from_secs(2));
        assert_eq!(pause_after(None, 9), Duration::from_secs(2));
        assert_eq!(pause_after(Some(&busy), 9), Duration::from_secs(30));
    }
}
