//! Security keys as the ceremonies see them: two traits, plain values, typed errors.
//!
//! Nothing here prints, prompts or knows a server. [`ctaphid`] talks to real keys and is the only module that knows the
//! CTAP library; tests put a key in memory behind the same traits.

use std::sync::Arc;

use uuid::Uuid;

mod attestation_object;
pub mod ctaphid;
pub mod error;
#[cfg(test)]
pub(crate) mod fake;
mod hidraw;
pub mod pin;
mod quiet;
mod status;

pub use error::KeyError;
pub use pin::Pin;

/// Finds keys and opens them.
pub trait Discovery: Send + Sync {
    /// The keys that are plugged in now, also those that cannot be opened.
    ///
    /// # Errors
    /// [`KeyError`] when the system cannot be asked.
    fn devices(&self) -> Result<Vec<Device>, KeyError>;

    /// Opens one of them.
    ///
    /// # Errors
    /// [`KeyError::NoPermission`], [`KeyError::Unplugged`] when it has vanished, [`KeyError::Busy`], and whatever the
    /// first exchange with the key yields.
    fn open(&self, device: &Device) -> Result<Arc<dyn SecurityKey>, KeyError>;

    /// Why [`Discovery::devices`] finds nothing although the kernel knows of a key; `None` when there is simply no key.
    fn hidden(&self) -> Option<KeyError>;
}

/// One key that is open. Calls block until the key answers; [`SecurityKey::cancel`] ends them from another thread.
pub trait SecurityKey: Send + Sync {
    /// What the key can do and in which state it is (authenticatorGetInfo).
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for a key that knows only U2F.
    fn info(&self) -> Result<Info, KeyError>;

    /// How often the PIN may still be wrong.
    ///
    /// # Errors
    /// [`KeyError`].
    fn pin_retries(&self) -> Result<u32, KeyError>;

    /// Asks the key whether this is its PIN. No touch. A right PIN gives back all tries, a wrong one uses one up.
    ///
    /// # Errors
    /// [`KeyError::PinInvalid`], [`KeyError::PinAuthBlocked`], [`KeyError::PinBlocked`]. While a change of the PIN is
    /// forced the right PIN is [`KeyError::PinInvalid`] too.
    fn verify_pin(&self, pin: &Pin) -> Result<(), KeyError>;

    /// Sets the first PIN.
    ///
    /// # Errors
    /// [`KeyError::PinPolicy`]; [`KeyError::PinAuthInvalid`] when there is a PIN.
    fn set_pin(&self, new: &Pin) -> Result<(), KeyError>;

    /// Changes the PIN.
    ///
    /// # Errors
    /// [`KeyError::PinInvalid`] when `current` is wrong, [`KeyError::PinPolicy`] when `new` is refused.
    fn change_pin(&self, current: &Pin, new: &Pin) -> Result<(), KeyError>;

    /// Blinks until it is touched (authenticatorSelection); only when [`Info::selection`].
    ///
    /// # Errors
    /// [`KeyError::NotTouched`], [`KeyError::Cancelled`].
    fn select(&self) -> Result<(), KeyError>;

    /// Makes a credential; waits for a touch.
    ///
    /// # Errors
    /// [`KeyError::Excluded`] and [`KeyError::StoreFull`] come after the touch, errors about the PIN before it.
    fn make_credential(&self, request: &MakeCredential, proof: &Verification) -> Result<Attestation, KeyError>;

    /// Signs, once for each account of the relying party that fits; waits for a touch unless `request.silent`.
    ///
    /// # Errors
    /// [`KeyError::NoCredentials`] when no account fits; it comes after the touch.
    fn get_assertions(&self, request: &GetAssertion, proof: &Verification) -> Result<Vec<Assertion>, KeyError>;

    /// Deletes a resident credential. No touch.
    ///
    /// # Errors
    /// [`KeyError::InvalidCredential`] when it is not there, [`KeyError::Unsupported`] when the key cannot delete.
    fn delete_credential(&self, credential_id: &[u8], pin: &Pin) -> Result<(), KeyError>;

    /// Ends a call that waits for a touch; it then fails with [`KeyError::Cancelled`]. Nothing happens when none waits.
    fn cancel(&self);
}

/// A key that is plugged in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device {
    /// Where the system has it; another key may get the same path once this one is gone.
    pub path: String,
    /// USB vendor id.
    pub vendor: u16,
    /// What it calls itself, to show.
    pub product: String,
}

/// What a key told about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The model.
    pub aaguid: Uuid,
    /// For keys by Yubico: `5.7.1`.
    pub firmware: Option<String>,
    /// Whether it has a PIN.
    pub pin: PinState,
    /// The PIN must be changed before anything else.
    pub force_pin_change: bool,
    /// The shortest PIN it takes, in Unicode code points.
    pub min_pin_length: u32,
    /// It verifies its user by itself (a fingerprint is enrolled).
    pub built_in_uv: bool,
    /// It can store resident credentials.
    pub resident_keys: bool,
    /// It can blink to be chosen among several (CTAP 2.1).
    pub selection: bool,
    /// It can refuse to use a credential without user verification (extension credProtect).
    pub cred_protect: bool,
    /// The longest list of credential ids it takes.
    pub max_list: usize,
    /// The longest request it takes, in bytes.
    pub max_message: usize,
}

/// Whether a key has a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinState {
    /// It cannot have one.
    Unsupported,
    /// It can have one and has none.
    NotSet,
    /// It has one.
    Set,
}

/// How the key is convinced that its owner is here.
#[derive(Debug, Clone)]
pub enum Verification {
    /// By its PIN.
    Pin(Pin),
    /// By its own sensor.
    BuiltIn,
}

/// Parameters of authenticatorMakeCredential.
#[derive(Debug, Clone)]
pub struct MakeCredential {
    /// The bytes of the collected client data; the key gets their hash.
    pub client_data: Vec<u8>,
    /// The relying party.
    pub rp_id: String,
    /// The user handle, 1 to 64 bytes.
    pub user_id: Vec<u8>,
    /// The account, shown when there are several.
    pub user_name: String,
    /// The person's name.
    pub user_display_name: String,
    /// Credentials that must not be on the key.
    pub exclude: Vec<Vec<u8>>,
    /// Whether the key stores the credential.
    pub resident: bool,
    /// Whether the key uses the credential only with user verification (credProtect level 3).
    pub uv_required: bool,
    /// Whether the credential can derive secrets (hmac-secret).
    pub hmac_secret: bool,
}

/// Parameters of authenticatorGetAssertion.
#[derive(Debug, Clone)]
pub struct GetAssertion {
    /// The bytes of the collected client data; the key gets their hash.
    pub client_data: Vec<u8>,
    /// The relying party.
    pub rp_id: String,
    /// The credentials that will do; empty: any resident one.
    pub allow: Vec<Vec<u8>>,
    /// Without a touch: what comes back tells which accounts there are, and no relying party accepts it.
    pub silent: bool,
}

/// A new credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// Its id.
    pub credential_id: Vec<u8>,
    /// The CBOR of WebAuthn Level 3 §6.5.4.
    pub attestation_object: Vec<u8>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The credential that signed.
    pub credential_id: Vec<u8>,
    /// What was signed, beside the hash of the client data.
    pub authenticator_data: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
    /// The user handle; empty for a credential that is not resident.
    pub user_handle: Vec<u8>,
    /// The account's name; keys tell it only when there are several accounts.
    pub user_name: String,
}
