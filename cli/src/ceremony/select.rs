//! Which key is used: waits for one, and lets a touch decide among several.

use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    time::Instant,
};

use super::{
    Ceremony, CeremonyError,
    call::{TICK, cancelled},
};
use crate::{
    prompt::{Choice, Notice, Wanted, WrongKey},
    security_key::{Device, Info, KeyError, SecurityKey},
};

/// The key a ceremony is held with.
pub(super) struct Chosen {
    pub(super) device: Device,
    pub(super) key: Arc<dyn SecurityKey>,
    pub(super) info: Info,
}

impl Chosen {
    /// `YubiKey OTP+FIDO+CCID, firmware 5.7.1`.
    pub(super) fn name(&self) -> String {
        match &self.info.firmware {
            Some(firmware) => format!("{}, firmware {firmware}", self.device.product),
            None => self.device.product.clone(),
        }
    }
}

/// A key that is not offered again while it stays where it is.
pub(super) struct Rejected {
    device: Device,
    /// Stays open: another key in the same port has the same path, and only this tells them apart.
    key: Option<Arc<dyn SecurityKey>>,
}

impl Rejected {
    /// What it calls itself.
    pub(super) fn product(&self) -> &str {
        &self.device.product
    }
}

impl From<Chosen> for Rejected {
    fn from(chosen: Chosen) -> Self {
        Self { device: chosen.device, key: Some(chosen.key) }
    }
}

impl Ceremony<'_> {
    /// Waits for a key that was not refused yet. A key that is refused and leaves may come back.
    pub(super) fn choose_key(&mut self) -> Result<Chosen, CeremonyError> {
        let begin = Instant::now();
        let mut asked = false;
        loop {
            let present = self.keys.devices()?;
            let rejected = std::mem::take(&mut self.rejected);
            self.rejected = rejected.into_iter().filter(|rejected| self.is_still_there(rejected, &present)).collect();
            let (usable, obstacle) = self.open_usable(&present)?;
            if !usable.is_empty() {
                let several = usable.len() > 1;
                let chosen = self.choose_among(usable)?;
                if asked || several || self.wanted != Wanted::Enrolled {
                    self.prompter.tell(&Notice::KeyFound { name: chosen.name() });
                }
                return Ok(chosen);
            }
            let waited = begin.elapsed();
            match obstacle {
                Some(error) if waited >= self.timing.settle => return Err(error.into()),
                Some(_) => {}
                None if waited >= self.timing.insert => return Err(CeremonyError::NoKey(self.timing.insert.as_secs())),
                None if !asked => {
                    asked = true;
                    self.prompter.tell(&Notice::InsertKey(self.wanted));
                }
                None => {}
            }
            self.pause()?;
        }
    }

    /// Opens what was not refused; says what is in the way of a key when none is usable.
    fn open_usable(&mut self, present: &[Device]) -> Result<(Vec<Chosen>, Option<KeyError>), CeremonyError> {
        let mut usable = Vec::new();
        let mut obstacle = if present.is_empty() { self.keys.hidden() } else { None };
        for device in present {
            if self.rejected.iter().any(|rejected| rejected.device == *device) {
                continue;
            }
            match self.open(device) {
                Ok(chosen) => usable.push(chosen),
                // It left between the look and the opening.
                Err(CeremonyError::Key(KeyError::Unplugged)) => {}
                Err(CeremonyError::Key(KeyError::Unsupported(_))) => {
                    self.prompter.tell(&Notice::WrongKey(WrongKey::NotCapable));
                    self.rejected.push(Rejected { device: device.clone(), key: None });
                }
                Err(CeremonyError::Key(error)) => obstacle = Some(error),
                Err(error) => return Err(error),
            }
        }
        Ok((usable, obstacle))
    }

    fn open(&self, device: &Device) -> Result<Chosen, CeremonyError> {
        let (keys, wanted) = (Arc::clone(&self.keys), device.clone());
        let key = self.patiently(self.timing.answer, None, move || keys.open(&wanted))?;
        let info = self.ask(&key, |key| key.info())?;
        Ok(Chosen { device: device.clone(), key, info })
    }

    /// The touched one; by name where a key cannot blink on request.
    fn choose_among(&self, mut usable: Vec<Chosen>) -> Result<Chosen, CeremonyError> {
        let index = if usable.len() == 1 {
            0
        } else if usable.iter().all(|chosen| chosen.info.selection) {
            self.touched(&usable)?
        } else {
            let names: Vec<_> = usable.iter().map(Chosen::name).collect();
            self.prompter.choose(Choice::Key, &names)?
        };
        if index < usable.len() { Ok(usable.swap_remove(index)) } else { Err(KeyError::NotTouched.into()) }
    }

    /// Lets all keys blink; the first touch wins, and the others stop.
    fn touched(&self, usable: &[Chosen]) -> Result<usize, CeremonyError> {
        self.prompter.tell(&Notice::SeveralKeys { count: usable.len() });
        let (send, answers) = mpsc::channel();
        for (index, chosen) in usable.iter().enumerate() {
            let (send, key) = (send.clone(), Arc::clone(&chosen.key));
            let worker = move || drop(send.send((index, key.select())));
            std::thread::Builder::new().name("security-key".to_owned()).spawn(worker).map_err(CeremonyError::Thread)?;
        }
        drop(send);
        let deadline = Instant::now() + self.timing.touch;
        let mut reason = KeyError::NotTouched;
        let winner = loop {
            match answers.recv_timeout(TICK) {
                Ok((index, Ok(()))) => break Ok(index),
                Ok((_, Err(error))) => reason = error,
                Err(RecvTimeoutError::Disconnected) => break Err(reason.into()),
                Err(RecvTimeoutError::Timeout) if self.interrupt.is_raised() => break Err(CeremonyError::Interrupted),
                Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => break Err(KeyError::NotTouched.into()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        let losers: Vec<_> = usable
            .iter()
            .enumerate()
            .filter(|(index, _)| !matches!(winner, Ok(winner) if winner == *index))
            .map(|(_, chosen)| Arc::clone(&chosen.key))
            .collect();
        while cancelled(&losers, &answers, self.timing.cancel).is_some() {}
        winner
    }

    /// Waits until a key is pulled out.
    pub(super) fn wait_until_removed(&self, key: &Rejected) -> Result<(), CeremonyError> {
        let deadline = Instant::now() + self.timing.insert;
        while self.is_still_there(key, &self.keys.devices()?) {
            if Instant::now() >= deadline {
                return Err(KeyError::PinAuthBlocked.into());
            }
            self.pause()?;
        }
        Ok(())
    }

    /// Whether a key has not left, not even for so short a time that nobody looked.
    fn is_still_there(&self, rejected: &Rejected, present: &[Device]) -> bool {
        let gone = |key: &Arc<dyn SecurityKey>| {
            matches!(self.ask(key, |key| key.info()), Err(CeremonyError::Key(KeyError::Unplugged)))
        };
        present.contains(&rejected.device) && !rejected.key.as_ref().is_some_and(gone)
    }

    fn pause(&self) -> Result<(), CeremonyError> {
        if self.interrupt.wait(self.timing.poll) { Err(CeremonyError::Interrupted) } else { Ok(()) }
    }
}
