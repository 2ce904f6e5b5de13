//! Ceremonies between a person, their security key and an issuer: signing in and registering a key.
//!
//! This program is the browser of WebAuthn. It takes the origin from the issuer URL that the person configured, refuses
//! a challenge for any other relying party, and never lets a server choose what is signed beside its challenge.
//!
//! Key and person are reached through traits ([`Discovery`], [`Prompter`]); nothing here touches the network.

use std::{sync::Arc, time::Duration};

use crate::{
    interrupt::Interrupt,
    prompt::{Notice, Prompter, Wanted},
    security_key::{Discovery, KeyError},
};

mod call;
mod client_data;
mod error;
mod pin;
mod registration;
mod relying_party;
mod removal;
mod select;
mod sign_in;
#[cfg(test)]
pub(crate) mod tests;

pub use error::CeremonyError;
pub use registration::NewKey;
pub use sign_in::{Remembered, Signed};

use select::{Chosen, Rejected};

/// How long the steps of a ceremony may take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// A person looks for a key.
    pub insert: Duration,
    /// Between two looks at what is plugged in.
    pub poll: Duration,
    /// A fresh device node belongs to root until udev has set its permissions.
    pub settle: Duration,
    /// Another program uses the key.
    pub busy: Duration,
    /// A key answers a request that needs no touch.
    pub answer: Duration,
    /// A person touches the key. Keys give up by themselves after 30 s.
    pub touch: Duration,
    /// A key stops waiting when it is told to.
    pub cancel: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            insert: Duration::from_secs(60),
            poll: Duration::from_millis(250),
            settle: Duration::from_secs(2),
            busy: Duration::from_secs(6),
            answer: Duration::from_secs(15),
            touch: Duration::from_secs(90),
            cancel: Duration::from_secs(3),
        }
    }
}

/// A ceremony, or several in a row: a key that was refused in one is not offered to the next.
pub struct Ceremony<'a> {
    keys: Arc<dyn Discovery>,
    prompter: &'a dyn Prompter,
    interrupt: Interrupt,
    timing: Timing,
    rejected: Vec<Rejected>,
    wanted: Wanted,
}

impl<'a> Ceremony<'a> {
    /// With these keys and this person.
    #[must_use]
    pub fn new(keys: Arc<dyn Discovery>, prompter: &'a dyn Prompter, interrupt: &Interrupt, timing: Timing) -> Self {
        Self { keys, prompter, interrupt: interrupt.clone(), timing, rejected: Vec::new(), wanted: Wanted::Any }
    }

    /// Runs `attempt` with one key after another until one is the right one.
    fn with_key<T>(
        &mut self,
        mut attempt: impl FnMut(&Self, &Chosen) -> Result<T, CeremonyError>,
    ) -> Result<(T, Chosen), CeremonyError> {
        loop {
            let chosen = self.choose_key()?;
            match attempt(self, &chosen) {
                Ok(outcome) => return Ok((outcome, chosen)),
                Err(CeremonyError::WrongKey(why)) => {
                    self.prompter.tell(&Notice::WrongKey(why));
                    self.wanted = Wanted::Another;
                    self.rejected.push(chosen.into());
                }
                Err(CeremonyError::Key(KeyError::PinAuthBlocked)) => {
                    self.prompter.tell(&Notice::Reinsert);
                    self.wait_until_removed(&chosen.into())?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
