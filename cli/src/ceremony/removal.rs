//! Deleting a credential that its issuer no longer knows from the key that still holds it.

use super::{Ceremony, CeremonyError, pin::Purpose};
use crate::{
    prompt::{Wanted, WrongKey},
    security_key::{KeyError, PinState, Verification},
};

impl Ceremony<'_> {
    /// Deletes a credential from the key that holds it. Only the key can tell whether that is the one in hand, and it
    /// wants its PIN first.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for a key that cannot delete single credentials.
    pub fn forget(&mut self, credential_id: &[u8]) -> Result<(), CeremonyError> {
        let _shield = self.interrupt.shield();
        self.wanted = Wanted::Any;
        let deleted = self.with_key(|ceremony, chosen| {
            let pin = match ceremony.unlock(chosen, Purpose::SignIn)? {
                Verification::Pin(pin) => pin,
                Verification::BuiltIn if chosen.info.pin == PinState::Set => ceremony.current_pin(chosen)?,
                Verification::BuiltIn => return Err(KeyError::PinRequired.into()),
            };
            let id = credential_id.to_vec();
            match ceremony.ask(&chosen.key, move |key| key.delete_credential(&id, &pin)) {
                Err(CeremonyError::Key(KeyError::InvalidCredential | KeyError::NoCredentials)) => {
                    Err(CeremonyError::WrongKey(WrongKey::NotTheRemoved))
                }
                outcome => outcome,
            }
        });
        deleted.map(|((), _)| ())
    }
}
