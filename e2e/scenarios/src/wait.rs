//! Waiting for a condition, never for luck.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Long enough for anything on a busy machine; a test that needs it all has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Before anything happens that only makes up for news that were lost: watches end after 30 s.
const LATE: Duration = Duration::from_secs(10);

/// Holds three rounds to a time. A machine under load may be late once; a product that keeps its promise is not late every
/// time, and nobody waits so long that something slower has helped.
///
/// # Panics
/// When it was otherwise.
pub fn assert_promptly(promised: Duration, mut round: impl FnMut() -> Duration) {
    let took = [round(), round(), round()];
    assert!(took.iter().any(|took| *took < promised), "{took:?}");
    assert!(took.iter().all(|took| *took < LATE), "{took:?}");
}

/// Asks until there is an answer.
///
/// # Panics
/// When there is none within the bound.
pub fn until<T>(what: &str, bound: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < bound, "waited {bound:?} in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
