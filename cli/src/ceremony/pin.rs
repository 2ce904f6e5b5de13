//! Every state a PIN can be in, from none at all to blocked.

use super::{Ceremony, CeremonyError, Chosen};
use crate::{
    prompt::{Notice, PinQuestion, WrongKey},
    security_key::{
        KeyError, Pin, PinState, Verification,
        pin::{MIN_LENGTH, PinLength},
    },
};

/// What a key is unlocked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A key without a PIN cannot be enrolled.
    SignIn,
    /// A key without a PIN gets one.
    Register,
}

impl Ceremony<'_> {
    /// Proves to the key that its owner is here, so far as that needs no touch.
    pub(super) fn unlock(&self, chosen: &Chosen, purpose: Purpose) -> Result<Verification, CeremonyError> {
        if chosen.info.built_in_uv {
            return Ok(Verification::BuiltIn);
        }
        let pin = match (chosen.info.pin, purpose) {
            (PinState::Unsupported, _) => return Err(CeremonyError::WrongKey(WrongKey::NotCapable)),
            (PinState::NotSet, Purpose::SignIn) => return Err(CeremonyError::WrongKey(WrongKey::NotEnrolled)),
            (PinState::NotSet, Purpose::Register) => self.first_pin(chosen)?,
            (PinState::Set, _) if chosen.info.force_pin_change => self.changed_pin(chosen)?,
            (PinState::Set, _) => self.current_pin(chosen)?,
        };
        Ok(Verification::Pin(pin))
    }

    /// Asks until the key says the PIN is right.
    pub(super) fn current_pin(&self, chosen: &Chosen) -> Result<Pin, CeremonyError> {
        loop {
            let pin = self.typed_pin(chosen)?;
            let candidate = pin.clone();
            match self.ask(&chosen.key, move |key| key.verify_pin(&candidate)) {
                Ok(()) => return Ok(pin),
                Err(CeremonyError::Key(KeyError::PinInvalid)) => self.tell_wrong_pin(chosen)?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Sets the first PIN, if the person wants to.
    fn first_pin(&self, chosen: &Chosen) -> Result<Pin, CeremonyError> {
        if !self.prompter.confirm(crate::prompt::Confirmation::SetPin)? {
            return Err(KeyError::PinNotSet.into());
        }
        self.prompter.tell(&Notice::PinRules { min: chosen.info.min_pin_length });
        loop {
            let pin = self.new_pin(chosen.info.min_pin_length)?;
            let new = pin.clone();
            match self.ask(&chosen.key, move |key| key.set_pin(&new)) {
                Ok(()) => {
                    self.prompter.tell(&Notice::PinSet);
                    return Ok(pin);
                }
                Err(CeremonyError::Key(KeyError::PinPolicy)) => self.prompter.tell(&Notice::PinRefused),
                Err(error) => return Err(error),
            }
        }
    }

    /// Changes the PIN. The key cannot be asked beforehand whether the old one is right: it says no to every PIN.
    fn changed_pin(&self, chosen: &Chosen) -> Result<Pin, CeremonyError> {
        self.prompter.tell(&Notice::PinChangeForced);
        let mut current = self.typed_pin(chosen)?;
        self.prompter.tell(&Notice::PinRules { min: chosen.info.min_pin_length });
        loop {
            let pin = self.new_pin(chosen.info.min_pin_length)?;
            let (old, new) = (current.clone(), pin.clone());
            match self.ask(&chosen.key, move |key| key.change_pin(&old, &new)) {
                Ok(()) => {
                    self.prompter.tell(&Notice::PinChanged);
                    return Ok(pin);
                }
                Err(CeremonyError::Key(KeyError::PinPolicy)) => self.prompter.tell(&Notice::PinRefused),
                Err(CeremonyError::Key(KeyError::PinInvalid)) => {
                    self.tell_wrong_pin(chosen)?;
                    current = self.typed_pin(chosen)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for the key's PIN until what is typed could be one. The key is not asked.
    fn typed_pin(&self, chosen: &Chosen) -> Result<Pin, CeremonyError> {
        let tries_left = self.tries_left(chosen)?;
        loop {
            let typed = self.prompter.ask_pin(PinQuestion::Current { tries_left })?;
            match Pin::new(typed, MIN_LENGTH) {
                Ok(pin) => return Ok(pin),
                Err(why) => self.prompter.tell(&Notice::PinLength(why)),
            }
        }
    }

    /// Asks for a new PIN, twice.
    fn new_pin(&self, min: u32) -> Result<Pin, CeremonyError> {
        loop {
            let first = match Pin::new(self.prompter.ask_pin(PinQuestion::New)?, min) {
                Ok(pin) => pin,
                Err(why @ (PinLength::TooShort { .. } | PinLength::TooLong)) => {
                    self.prompter.tell(&Notice::PinLength(why));
                    continue;
                }
            };
            match Pin::new(self.prompter.ask_pin(PinQuestion::Repeat)?, min) {
                Ok(second) if second.matches(&first) => return Ok(first),
                _ => self.prompter.tell(&Notice::PinsDiffer),
            }
        }
    }

    fn tell_wrong_pin(&self, chosen: &Chosen) -> Result<(), CeremonyError> {
        let tries_left = self.tries_left(chosen)?;
        self.prompter.tell(&Notice::WrongPin { tries_left });
        Ok(())
    }

    fn tries_left(&self, chosen: &Chosen) -> Result<u32, CeremonyError> {
        match self.ask(&chosen.key, |key| key.pin_retries())? {
            0 => Err(KeyError::PinBlocked.into()),
            tries => Ok(tries),
        }
    }
}
