//! Where a person sits with their key: the terminal, the USB ports, and Ctrl-C.

use std::sync::Arc;

use crate::{
    ceremony::{Ceremony, Timing},
    env,
    error::{Category, Failure},
    interrupt::Interrupt,
    prompt::{Prompter, Terminal},
    security_key::{Discovery, ctaphid::UsbKeys},
};

/// What every command that needs a key needs.
pub(super) struct Desk {
    interrupt: Interrupt,
    prompter: Box<dyn Prompter>,
    keys: Arc<dyn Discovery>,
    timing: Timing,
}

impl Desk {
    /// The real one. Fails at once where nobody can be asked for a PIN.
    pub(super) fn open() -> Result<Self, Failure> {
        let interrupt = Interrupt::listen().map_err(|error| {
            Failure::new(Category::General, "cannot listen to signals").hint("Try again.").detail(error.to_string())
        })?;
        let terminal = Terminal::open(&interrupt, env::NO_COLOR.get().is_none())?;
        Ok(Self {
            interrupt,
            prompter: Box::new(terminal),
            keys: Arc::new(UsbKeys::default()),
            timing: Timing::default(),
        })
    }

    /// A desk in memory.
    #[cfg(test)]
    pub(super) fn with(prompter: Box<dyn Prompter>, keys: Arc<dyn Discovery>, timing: Timing) -> Self {
        Self { interrupt: Interrupt::default(), prompter, keys, timing }
    }

    pub(super) fn ceremony(&self) -> Ceremony<'_> {
        Ceremony::new(Arc::clone(&self.keys), &*self.prompter, &self.interrupt, self.timing)
    }

    pub(super) fn prompter(&self) -> &dyn Prompter {
        &*self.prompter
    }
}
