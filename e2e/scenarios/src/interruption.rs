//! Ctrl-C and its like, noticed between two steps instead of dying of it: what was started is ended, and what was
//! written is removed, by unwinding as after any failure.

use std::{
    panic,
    sync::atomic::{AtomicU8, Ordering},
    thread,
};

use tokio::signal::unix::{SignalKind, signal};

/// The number of the signal; zero before it.
static RECEIVED: AtomicU8 = AtomicU8::new(0);

const SIGINT: u8 = 2;

/// Listens to SIGINT, SIGTERM and SIGHUP from now on. Whoever sends more than one, as `make` and closing terminals do,
/// gets the same tidy end: every step of the harness is bounded.
///
/// # Panics
/// When the system has no thread or handler left.
pub fn listen() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let [mut interrupts, mut terminations, mut hangups] = {
        let _inside = runtime.enter();
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(|kind| signal(kind).unwrap())
    };
    thread::spawn(move || {
        runtime.block_on(async {
            loop {
                let number = tokio::select! {
                    _ = interrupts.recv() => SIGINT,
                    _ = terminations.recv() => 15,
                    _ = hangups.recv() => 1,
                };
                RECEIVED.store(number, Ordering::SeqCst);
            }
        });
    });
}

/// The exit code that belongs to the signal, once there was one.
#[must_use]
pub fn received() -> Option<u8> {
    let number = RECEIVED.load(Ordering::SeqCst);
    (number != 0).then(|| exit_code(number))
}

/// A program at the same terminal has ended of Ctrl-C, so this one got it too.
pub fn told_by_another() {
    RECEIVED.store(SIGINT, Ordering::SeqCst);
}

/// Unwinds when there was a signal, without the words of a panic.
pub fn check() {
    if received().is_some() {
        panic::resume_unwind(Box::new("interrupted"));
    }
}

/// As shells count.
const fn exit_code(signal: u8) -> u8 {
    128 + signal
}
