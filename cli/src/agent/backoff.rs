//! Trying again: how often, after how long, and never in step with everybody else.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep};

/// Pauses between the attempts of one request somebody is waiting for.
const PAUSES: [Duration; 3] = [Duration::from_millis(250), Duration::from_millis(750), Duration::from_secs(2)];

/// An attempt that fails later than this is the last: the person has waited long enough.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs `attempt` until it succeeds, fails for good, or patience is at its end.
///
/// # Errors
/// That of the last attempt.
pub async fn with_retries<T, E, F, A>(is_transient: impl Fn(&E) -> bool, mut attempt: A) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    A: FnMut() -> F,
{
    let begun = Instant::now();
    for pause in PAUSES {
        match attempt().await {
            Err(error) if is_transient(&error) && begun.elapsed() < PATIENCE => sleep(jittered(pause)).await,
            done => return done,
        }
    }
    attempt().await
}

/// The pause before attempt `failures` of something that goes on in the background: 1 s, then 2 s.
///
/// An issuer that is back must hear from its agents at once, because until then they do not hear of a person who was
/// disabled meanwhile. [`jittered`], the pauses spread the agents of an organization over two seconds.
#[must_use]
pub const fn background_pause(failures: u32) -> Duration {
    Duration::from_secs(if failures == 0 { 1 } else { 2 })
}

/// The same for something that has been told that it asks too often: 1 s, doubling, at most 30 s.
#[must_use]
pub fn courteous_pause(failures: u32) -> Duration {
    Duration::from_secs(1_u64 << failures.min(5)).min(Duration::from_secs(30))
}

/// Half to one and a half times `pause`.
#[must_use]
pub fn jittered(pause: Duration) -> Duration {
    let mut random = [0_u8; 1];
    // Without randomness the middle is as good as any.
    let share = aws_lc_rs::rand::fill(&mut random).map_or(128, |()| u32::from(random[0]));
    spread(pause, share)
}

/// `share` of 256 of the way from half of `pause` to one and a half of it.
fn spread(pause: Duration, share: u32) -> Duration {
    pause / 2 + pause * share / 256
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_pause_is_spread_between_half_and_one_and_a_half() {
        let pause = Duration::from_secs(2);
        assert_eq!([0, 128, 256].map(|share| spread(pause, share)), [1, 2, 3].map(Duration::from_secs));
    }

    #[test]
    fn an_issuer_that_is_back_is_noticed_within_three_seconds() {
        for failures in [0, 1, 5, u32::MAX] {
            assert!(spread(background_pause(failures), 256) <= Duration::from_secs(3), "{failures}");
        }
    }

    #[test]
    fn who_asks_too_often_waits_up_to_half_a_minute() {
        assert_eq!([0, 1, 4, 5, 99].map(courteous_pause), [1, 2, 16, 30, 30].map(Duration::from_secs));
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_after_the_last_pause_and_at_once_when_it_is_for_good() {
        let attempts = Cell::new(0);
        let attempt = || {
            attempts.set(attempts.get() + 1);
            async { Err::<(), _>("no") }
        };
        assert_eq!(with_retries(|_| true, attempt).await, Err("no"));
        assert_eq!(attempts.replace(0), 4);
        assert_eq!(with_retries(|_| false, attempt).await, Err("no"));
        assert_eq!(attempts.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_try_again_when_the_attempt_itself_took_long() {
        let attempts = Cell::new(0);
        let attempt = || {
            attempts.set(attempts.get() + 1);
            async {
                sleep(PATIENCE).await;
                Err::<(), _>("no")
            }
        };
        assert_eq!(with_retries(|_| true, attempt).await, Err("no"));
        assert_eq!(attempts.get(), 1);
    }
}
