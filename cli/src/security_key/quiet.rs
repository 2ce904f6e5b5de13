//! Keeps standard output clean while the CTAP library runs.
//!
//! The library prints there when a key sends something it does not know. Standard output belongs to the program's
//! answer, so it points to nowhere while any call runs. Calls may overlap (several keys blink at once): the first one
//! redirects, the last one restores.

use std::{
    fs::File,
    io::Write as _,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

struct Redirection {
    calls: u32,
    real: Option<OwnedFd>,
}

static REDIRECTION: Mutex<Redirection> = Mutex::new(Redirection { calls: 0, real: None });

/// While one of these lives, nothing that is written to standard output arrives.
pub(super) struct SilentStdout(());

impl SilentStdout {
    /// Redirects standard output. Where that is not possible (it is closed, no `/dev/null`) it stays as it is.
    pub(super) fn begin() -> Self {
        let mut redirection = lock();
        if redirection.calls == 0 {
            redirection.real = redirect();
        }
        redirection.calls = redirection.calls.saturating_add(1);
        Self(())
    }
}

impl Drop for SilentStdout {
    fn drop(&mut self) {
        let mut redirection = lock();
        redirection.calls = redirection.calls.saturating_sub(1);
        if redirection.calls == 0
            && let Some(real) = redirection.real.take()
        {
            let _ = std::io::stdout().flush();
            let _ = rustix::stdio::dup2_stdout(&real);
        }
    }
}

fn redirect() -> Option<OwnedFd> {
    let mut stdout = std::io::stdout();
    stdout.flush().ok()?;
    let real = stdout.as_fd().try_clone_to_owned().ok()?;
    let nowhere = File::options().write(true).open("/dev/null").ok()?;
    rustix::stdio::dup2_stdout(&nowhere).ok()?;
    Some(real)
}

fn lock() -> MutexGuard<'static, Redirection> {
    REDIRECTION.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stdout)]

    use super::*;

    /// Runs in a process of its own: standard output is shared with the test runner.
    #[test]
    #[ignore = "run by what_a_call_prints_never_reaches_standard_output"]
    fn prints_before_while_and_after() {
        println!("before");
        let first = SilentStdout::begin();
        println!("swallowed by the first");
        let second = SilentStdout::begin();
        drop(first);
        println!("swallowed by the second");
        drop(second);
        println!("after");
    }

    #[test]
    fn what_a_call_prints_never_reaches_standard_output() {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "security_key::quiet::tests::prints_before_while_and_after"])
            .output()
            .unwrap();
        let stdout = String::from_utf8(child.stdout).unwrap();
        assert!(stdout.contains("before") && stdout.contains("after"), "{stdout}");
        assert!(!stdout.contains("swallowed"), "{stdout}");
    }
}
