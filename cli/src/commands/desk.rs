//! Where a person sits with their key: the terminal, the USB ports, and Ctrl-C.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    agent::hardening,
    ceremony::{Ceremony, Timing},
    env,
    error::{Category, Failure},
    interrupt::Interrupt,
    prompt::{Prompter, Terminal},
    security_key::{Device, Discovery, ctaphid::UsbKeys},
};

/// What every command that needs a key needs.
pub(super) struct Desk {
    interrupt: Interrupt,
    prompter: Box<dyn Prompter>,
    keys: Arc<dyn Discovery>,
    timing: Timing,
}

impl Desk {
    /// The real one. Fails at once where nobody can be asked for a PIN, and where a PIN could not be protected.
    pub(super) fn open() -> Result<Self, Failure> {
        hardening::protect_memory()?;
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

    /// Whether a key of this model is plugged in; any will do for a model that is not known. Which key of a model holds a
    /// credential that wants its user verified, it tells nobody without its PIN (credProtect, CTAP 2.1 §12.1).
    pub(super) fn has_key_of_model(&self, aaguid: Option<Uuid>) -> bool {
        let model = |device: &Device| self.keys.open(device).and_then(|key| key.info()).map(|info| info.aaguid);
        let is_model = |device: &Device| aaguid.is_none_or(|aaguid| model(device) == Ok(aaguid));
        self.keys.devices().is_ok_and(|devices| devices.iter().any(is_model))
    }

    pub(super) fn prompter(&self) -> &dyn Prompter {
        &*self.prompter
    }
}
