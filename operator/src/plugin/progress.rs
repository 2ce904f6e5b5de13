//! What somebody reads who waits: on standard error, and only at a terminal.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// Nothing is said before this time; most answers come sooner.
const QUIET: Duration = Duration::from_secs(1);

/// Somebody waits.
#[derive(Debug)]
pub struct Waiting {
    since: Instant,
    told: bool,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { since: Instant::now(), told: false }
    }
}

impl Waiting {
    /// Says once what is waited for.
    pub fn tell(&mut self, what: &str) {
        if self.told || self.since.elapsed() < QUIET {
            return;
        }
        self.told = true;
        let mut err = std::io::stderr().lock();
        if err.is_terminal() {
            let _nobody_listens = writeln!(err, "{what}");
        }
    }
}
