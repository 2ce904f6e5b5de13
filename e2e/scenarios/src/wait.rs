//! Waiting for a condition, never for luck.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Long enough for anything on a busy machine; a test that needs it all has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long the fastest of three rounds takes: a machine under load may be late once; a product that keeps its promise is
/// not late every time.
pub fn fastest_of_three(mut round: impl FnMut() -> Duration) -> Duration {
    round().min(round()).min(round())
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
