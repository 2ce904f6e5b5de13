//! Calls to a key that cannot hang the program: a thread of their own, a limit, and a person who may stop them.

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use super::{Ceremony, CeremonyError, Chosen};
use crate::{
    prompt::Notice,
    security_key::{KeyError, PinState, SecurityKey, Verification},
};

/// How soon Ctrl-C is noticed.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// A cancellation that arrives before the request is forgotten by the key, so it is sent again.
const CANCEL_AGAIN: Duration = Duration::from_millis(100);

/// How often a fingerprint may be unknown before the PIN is asked for.
const FINGERPRINTS: u32 = 3;

impl Ceremony<'_> {
    /// A call that the key answers by itself.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        key: &Arc<dyn SecurityKey>,
        call: impl Fn(&dyn SecurityKey) -> Result<T, KeyError> + Send + Sync + 'static,
    ) -> Result<T, CeremonyError> {
        let callee = Arc::clone(key);
        self.patiently(self.timing.answer, Some(key), move || call(&*callee))
    }

    /// A call that waits for a touch, verified by `proof` or, where a sensor does not know its user, by the PIN after
    /// all. Returns what verified the user in the end.
    pub(super) fn ask_for_touch<T: Send + 'static>(
        &self,
        chosen: &Chosen,
        mut proof: Verification,
        call: impl Fn(&dyn SecurityKey, &Verification) -> Result<T, KeyError> + Clone + Send + Sync + 'static,
    ) -> Result<(T, Verification), CeremonyError> {
        let mut fingerprints = FINGERPRINTS;
        loop {
            self.prompter.tell(&Notice::TouchKey);
            let (callee, with, call) = (Arc::clone(&chosen.key), proof.clone(), call.clone());
            let outcome = self.patiently(self.timing.touch, Some(&chosen.key), move || call(&*callee, &with));
            match outcome {
                Ok(value) => {
                    self.prompter.tell(&Notice::Touched);
                    return Ok((value, proof));
                }
                Err(CeremonyError::Key(KeyError::UvInvalid)) if fingerprints > 1 => {
                    fingerprints -= 1;
                    self.prompter.tell(&Notice::FingerprintNotRecognised);
                }
                Err(CeremonyError::Key(KeyError::UvInvalid | KeyError::UvBlocked | KeyError::PinRequired))
                    if matches!(proof, Verification::BuiltIn) && chosen.info.pin == PinState::Set =>
                {
                    proof = Verification::Pin(self.current_pin(chosen)?);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes a call, again and again while another program uses the key.
    pub(super) fn patiently<T: Send + 'static>(
        &self,
        limit: Duration,
        cancel: Option<&Arc<dyn SecurityKey>>,
        call: impl Fn() -> Result<T, KeyError> + Send + Sync + 'static,
    ) -> Result<T, CeremonyError> {
        let call = Arc::new(call);
        let give_up = Instant::now() + self.timing.busy;
        let mut told = false;
        loop {
            let again = Arc::clone(&call);
            match self.once(limit, cancel, move || again()) {
                Err(CeremonyError::Key(KeyError::Busy)) if Instant::now() < give_up => {
                    if !told {
                        self.prompter.tell(&Notice::Busy);
                        told = true;
                    }
                    if self.interrupt.wait(self.timing.poll) {
                        return Err(CeremonyError::Interrupted);
                    }
                }
                outcome => return outcome,
            }
        }
    }

    fn once<T: Send + 'static>(
        &self,
        limit: Duration,
        cancel: Option<&Arc<dyn SecurityKey>>,
        call: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, CeremonyError> {
        if self.interrupt.is_raised() {
            return Err(CeremonyError::Interrupted);
        }
        let (send, answer) = mpsc::sync_channel(1);
        let worker = move || drop(send.send(call()));
        std::thread::Builder::new().name("security-key".to_owned()).spawn(worker).map_err(CeremonyError::Thread)?;
        let deadline = Instant::now() + limit;
        let gave_up = loop {
            match answer.recv_timeout(TICK) {
                Ok(outcome) => return Ok(outcome?),
                Err(RecvTimeoutError::Disconnected) => return Err(KeyError::Garbled.into()),
                Err(RecvTimeoutError::Timeout) if self.interrupt.is_raised() => break CeremonyError::Interrupted,
                Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => break KeyError::NotResponding.into(),
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        match cancel.and_then(|key| cancelled(std::slice::from_ref(key), &answer, self.timing.cancel)) {
            // The touch was faster than Ctrl-C; what it did must not be lost.
            Some(Ok(value)) => Ok(value),
            _ => Err(gave_up),
        }
    }
}

/// Tells `keys` to stop waiting until one more answer has come, or all have, or `limit` is over.
pub(super) fn cancelled<T>(keys: &[Arc<dyn SecurityKey>], answers: &Receiver<T>, limit: Duration) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        for key in keys {
            let key = Arc::clone(key);
            // Writing can block behind a read of a key that is silent.
            let _ = std::thread::Builder::new().name("security-key".to_owned()).spawn(move || key.cancel());
        }
        match answers.recv_timeout(CANCEL_AGAIN) {
            Ok(answer) => return Some(answer),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
