//! Ctrl-C, as something a ceremony can notice instead of dying of it.
//!
//! A process that is killed while a key blinks leaves the key busy for half a minute, and one that is killed between
//! making a credential and registering it leaves an orphan on the key. So signals are listened to, and while a
//! [`Shield`] is held they are only noted: who holds it looks, cleans up and ends. Without a shield the process ends at
//! once, and a second signal ends it in any case.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::signal::unix::{SignalKind, signal};

/// Whether the person wants to stop. Copies share the answer.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    raised: Condvar,
    farewell: Mutex<Farewell>,
}

/// What is to be done before a signal ends the process, for which nothing is dropped.
#[derive(Default)]
struct Farewell(Option<Box<dyn Fn() + Send>>);

impl std::fmt::Debug for Farewell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Farewell").field(&self.0.is_some()).finish()
    }
}

#[derive(Debug, Default)]
struct State {
    raised: bool,
    shields: u32,
}

/// While one of these lives, a signal is noted and nothing else.
#[derive(Debug)]
#[must_use = "signals end the process as soon as the shield is dropped"]
pub struct Shield {
    interrupt: Interrupt,
}

impl Interrupt {
    /// Listens to SIGINT, SIGQUIT, SIGTERM and SIGHUP from now on.
    ///
    /// # Errors
    /// When the system has no thread or handler left.
    pub fn listen() -> io::Result<Self> {
        let interrupt = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = interrupt.clone();
        // The handlers must be in place before the first prompt, not soon after it.
        let signals = {
            let _inside = runtime.enter();
            [
                (signal(SignalKind::interrupt())?, 2_u8),
                (signal(SignalKind::quit())?, 3),
                (signal(SignalKind::terminate())?, 15),
                (signal(SignalKind::hangup())?, 1),
            ]
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let [(mut interrupts, int), (mut quits, quit), (mut terminations, term), (mut hangups, hup)] = signals;
            runtime.block_on(async {
                loop {
                    let number = tokio::select! {
                        _ = interrupts.recv() => int,
                        _ = quits.recv() => quit,
                        _ = terminations.recv() => term,
                        _ = hangups.recv() => hup,
                    };
                    if listener.raise() {
                        listener.say_farewell();
                        std::process::exit(128 + i32::from(number));
                    }
                }
            });
        })?;
        Ok(interrupt)
    }

    /// Notes that the person wants to stop. Returns whether nobody is there to clean up.
    pub fn raise(&self) -> bool {
        let mut state = self.lock();
        let last_word = state.raised || state.shields == 0;
        state.raised = true;
        self.shared.raised.notify_all();
        last_word
    }

    /// Does `farewell` before a signal ends the process. It must not wait for anything.
    pub fn before_exit(&self, farewell: impl Fn() + Send + 'static) {
        self.shared.farewell.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(Box::new(farewell));
    }

    pub(crate) fn say_farewell(&self) {
        if let Some(farewell) = &self.shared.farewell.lock().unwrap_or_else(PoisonError::into_inner).0 {
            farewell();
        }
    }

    /// Whether the person wants to stop.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.lock().raised
    }

    /// Takes over the cleaning up.
    pub fn shield(&self) -> Shield {
        let mut state = self.lock();
        state.shields = state.shields.saturating_add(1);
        Shield { interrupt: self.clone() }
    }

    /// Waits, but not longer than until the person wants to stop. Returns whether they do.
    #[must_use]
    pub fn wait(&self, pause: Duration) -> bool {
        let deadline = Instant::now() + pause;
        let mut state = self.lock();
        while !state.raised {
            let Some(rest) = deadline.checked_duration_since(Instant::now()).filter(|rest| !rest.is_zero()) else {
                break;
            };
            state = self.shared.raised.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.raised
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shield {
    fn drop(&mut self) {
        let mut state = self.interrupt.lock();
        state.shields = state.shields.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_under_a_shield_is_only_noted_and_a_second_one_ends_the_process() {
        let interrupt = Interrupt::default();
        let shield = interrupt.shield();
        assert!(!interrupt.raise() && interrupt.is_raised());
        assert!(interrupt.raise());
        drop(shield);
    }

    #[test]
    fn a_signal_without_a_shield_ends_the_process() {
        let interrupt = Interrupt::default();
        drop(interrupt.shield());
        assert!(interrupt.raise());
    }

    #[test]
    fn a_wait_ends_at_once_when_the_person_wants_to_stop() {
        let interrupt = Interrupt::default();
        let other = interrupt.clone();
        let begin = Instant::now();
        let waiter = std::thread::spawn(move || other.wait(Duration::from_secs(60)));
        interrupt.raise();
        assert!(waiter.join().unwrap_or(false));
        assert!(begin.elapsed() < Duration::from_secs(30));
        assert!(!Interrupt::default().wait(Duration::from_millis(1)));
    }
}
