//! Real keys over USB HID, through the crate ctap-hid-fido2. Nothing else in the program uses that crate.
//!
//! The crate prints on standard output, panics on odd input, reports failures as sentences, forgets to fill in members
//! and never gives up waiting. Each of its calls is therefore made through [`guarded`], and never on the thread that
//! talks to the person (see [`crate::ceremony`]). Its log stays off: it would show the hash of the PIN.

use std::{
    cell::Cell,
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Once},
    time::{Duration, Instant},
};

use ctap_hid_fido2::{
    Cfg, FidoKeyHid, FidoKeyHidFactory, HidInfo, HidParam,
    fidokey::{
        CredentialExtension, GetAssertionArgsBuilder, MakeCredentialArgsBuilder,
        credential_management::credential_management_params::CredentialProtectionPolicy,
        get_assertion::get_assertion_params::Assertion as CtapAssertion, get_info::InfoOption,
        make_credential::make_credential_params::Attestation as CtapAttestation,
    },
    get_fidokey_devices,
    public_key_credential_descriptor::PublicKeyCredentialDescriptor,
    public_key_credential_user_entity::PublicKeyCredentialUserEntity,
};
use uuid::Uuid;

use super::{
    Assertion, Attestation, Device, Discovery, GetAssertion, Info, KeyError, MakeCredential, Pin, PinState,
    SecurityKey, Verification, attestation_object, hidraw::Hidraw, pin, quiet::SilentStdout, status,
};

/// USB vendor id of Yubico.
const YUBICO: u16 = 0x1050;

/// How many credential ids a key takes at once when it does not say (the value of the first YubiKeys).
const USUAL_MAX_LIST: usize = 8;

/// The longest request of a key that does not say (CTAP 2.1 §6.4, maxMsgSize).
const MAX_MESSAGE: usize = 1024;

/// The crate stops listening after 500 keep-alive messages, about this long, and reports the last one as a status.
const PATIENCE: Duration = Duration::from_secs(40);

/// The keys on this machine's USB ports.
#[derive(Debug, Clone, Default)]
pub struct UsbKeys {
    hidraw: Hidraw,
}

impl Discovery for UsbKeys {
    fn devices(&self) -> Result<Vec<Device>, KeyError> {
        let found = guarded(|| Ok::<_, &str>(get_fidokey_devices()))?;
        Ok(found.iter().filter_map(device).collect())
    }

    fn open(&self, device: &Device) -> Result<Arc<dyn SecurityKey>, KeyError> {
        let param = HidParam::Path(device.path.clone());
        let key = guarded(|| FidoKeyHidFactory::create_by_params(&[param], &configuration()))
            .map_err(|_| self.hidraw.why_closed(device.path.as_ref()))?;
        Ok(Arc::new(HidKey::greet(key, device.vendor)?))
    }

    fn hidden(&self) -> Option<KeyError> {
        self.hidraw.unreachable_key()
    }
}

fn device(info: &HidInfo) -> Option<Device> {
    let HidParam::Path(path) = &info.param else { return None };
    let product: String = info.product_string.chars().filter(|c| !c.is_control()).take(60).collect();
    let product = product.strip_prefix("Yubico ").unwrap_or(&product).trim();
    let product = if product.is_empty() { "Security key" } else { product };
    Some(Device { path: path.clone(), vendor: info.vid, product: product.to_owned() })
}

fn configuration() -> Cfg {
    let mut configuration = Cfg::init();
    configuration.enable_log = false;
    configuration.enable_keep_alive_msg = false;
    configuration.keep_alive_msg_to_stderr = true;
    configuration
}

/// One open key.
struct HidKey {
    key: FidoKeyHid,
    vendor: u16,
    deletes_credentials: bool,
}

impl HidKey {
    /// The first exchange: it opens the channel, and tells which dialect of CTAP the key speaks.
    fn greet(mut key: FidoKeyHid, vendor: u16) -> Result<Self, KeyError> {
        let info = guarded(|| key.get_info())?;
        let has = |wanted: InfoOption| info.options.iter().any(|(name, on)| name == wanted.as_ref() && *on);
        let (current, preview) = (has(InfoOption::CredMgmt), has(InfoOption::CredentialMgmtPreview));
        key.pin_protocol_version = if info.pin_uv_auth_protocols.contains(&2) { 2 } else { 1 };
        // The preview command fails with PIN_AUTH_INVALID where the key knows the final one.
        key.use_pre_credential_management = preview && !current;
        Ok(Self { key, vendor, deletes_credentials: current || preview })
    }

    /// A call that waits for a touch.
    fn waiting<T, E: Display>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<T, KeyError> {
        let begin = Instant::now();
        match guarded(call) {
            Err(KeyError::Unsupported(0x01) | KeyError::Status(0x02)) if begin.elapsed() > PATIENCE => {
                self.cancel();
                Err(KeyError::NotTouched)
            }
            result => result,
        }
    }
}

impl SecurityKey for HidKey {
    fn info(&self) -> Result<Info, KeyError> {
        let info = guarded(|| self.key.get_info())?;
        let option =
            |wanted: InfoOption| info.options.iter().find(|(name, _)| name == wanted.as_ref()).map(|(_, on)| *on);
        Ok(Info {
            aaguid: Uuid::from_slice(&info.aaguid).unwrap_or_default(),
            firmware: (self.vendor == YUBICO).then(|| firmware(info.firmware_version)).flatten(),
            pin: match option(InfoOption::ClientPin) {
                Some(true) => PinState::Set,
                Some(false) => PinState::NotSet,
                None => PinState::Unsupported,
            },
            force_pin_change: info.force_pin_change,
            min_pin_length: info.min_pin_length.max(pin::MIN_LENGTH),
            built_in_uv: option(InfoOption::Uv) == Some(true),
            resident_keys: option(InfoOption::Rk) == Some(true),
            selection: info.versions.iter().any(|version| version.starts_with("FIDO_2_") && !is_before_2_1(version)),
            cred_protect: info.extensions.iter().any(|extension| extension == "credProtect"),
            max_list: told(info.max_credential_count_in_list).unwrap_or(USUAL_MAX_LIST),
            max_message: told(info.max_msg_size).unwrap_or(MAX_MESSAGE),
        })
    }

    fn pin_retries(&self) -> Result<u32, KeyError> {
        guarded(|| self.key.get_pin_retries()).map(|retries| u32::try_from(retries).unwrap_or(0))
    }

    fn verify_pin(&self, pin: &Pin) -> Result<(), KeyError> {
        guarded(|| self.key.get_pin_token(pin.expose())).map(|_| ())
    }

    fn set_pin(&self, new: &Pin) -> Result<(), KeyError> {
        guarded(|| self.key.set_new_pin(new.expose()))
    }

    fn change_pin(&self, current: &Pin, new: &Pin) -> Result<(), KeyError> {
        guarded(|| self.key.change_pin(current.expose(), new.expose()))
    }

    fn select(&self) -> Result<(), KeyError> {
        self.waiting(|| self.key.selection())
    }

    fn make_credential(&self, request: &MakeCredential, proof: &Verification) -> Result<Attestation, KeyError> {
        let user = PublicKeyCredentialUserEntity::new(
            Some(&request.user_id),
            Some(&request.user_name),
            Some(&request.user_display_name),
        );
        // What the crate calls the challenge is hashed and sent as clientDataHash.
        let mut arguments = MakeCredentialArgsBuilder::new(&request.rp_id, &request.client_data).user_entity(&user);
        if let Verification::Pin(pin) = proof {
            arguments = arguments.pin(pin.expose());
        }
        if request.resident {
            arguments = arguments.resident_key();
        }
        for id in &request.exclude {
            arguments = arguments.exclude_authenticator(id);
        }
        let mut extensions = Vec::new();
        if request.uv_required {
            let policy = CredentialProtectionPolicy::UserVerificationRequired;
            extensions.push(CredentialExtension::CredProtect(Some(policy)));
        }
        if request.hmac_secret {
            extensions.push(CredentialExtension::HmacSecret(Some(true)));
        }
        if !extensions.is_empty() {
            arguments = arguments.extensions(&extensions);
        }
        attestation(&self.waiting(|| self.key.make_credential_with_args(&arguments.build()))?)
    }

    fn get_assertions(&self, request: &GetAssertion, proof: &Verification) -> Result<Vec<Assertion>, KeyError> {
        let mut arguments = GetAssertionArgsBuilder::new(&request.rp_id, &request.client_data);
        if let Verification::Pin(pin) = proof {
            arguments = arguments.pin(pin.expose());
        }
        if request.silent {
            arguments = arguments.without_up();
        }
        for id in &request.allow {
            arguments = arguments.add_credential_id(id);
        }
        let signed = self.waiting(|| self.key.get_assertion_with_args(&arguments.build()))?;
        let only = match request.allow.as_slice() {
            [id] => Some(id.as_slice()),
            _ => None,
        };
        Ok(signed.into_iter().map(|signed| assertion(signed, only)).collect())
    }

    fn delete_credential(&self, credential_id: &[u8], pin: &Pin) -> Result<(), KeyError> {
        if !self.deletes_credentials {
            return Err(KeyError::Unsupported(0x01));
        }
        let credential = PublicKeyCredentialDescriptor { id: credential_id.to_vec(), ctype: "public-key".to_owned() };
        guarded(|| self.key.credential_management_delete_credential(Some(pin.expose()), credential))
    }

    fn cancel(&self) {
        // A key that cannot be written to waits for nothing any more.
        let _ = guarded(|| self.key.cancel_selection());
    }
}

/// What a key has made, as the issuer reads it.
///
/// # Errors
/// [`KeyError::Garbled`] when it has no CBOR form.
pub fn attestation(made: &CtapAttestation) -> Result<Attestation, KeyError> {
    let parts = attestation_object::Parts {
        format: &made.fmt,
        algorithm: made.attstmt_alg,
        signature: &made.attstmt_sig,
        certificates: &made.attstmt_x5c,
        authenticator_data: &made.auth_data,
    };
    let attestation_object = attestation_object::encode(&parts).map_err(|_| KeyError::Garbled)?;
    Ok(Attestation { credential_id: made.credential_descriptor.id.clone(), attestation_object })
}

/// What a key has signed; `only` is the credential it was asked for, when that was one.
#[must_use]
pub fn assertion(signed: CtapAssertion, only: Option<&[u8]>) -> Assertion {
    Assertion {
        // A key may leave it out when the allow list has one entry (CTAP 2.1 §6.2.2).
        credential_id: match only {
            Some(id) if signed.credential_id.is_empty() => id.to_vec(),
            _ => signed.credential_id,
        },
        authenticator_data: signed.auth_data,
        signature: signed.signature,
        user_handle: signed.user.id,
        user_name: signed.user.name,
    }
}

/// A number the key told; the crate has zero for what it did not.
fn told(number: impl TryInto<usize>) -> Option<usize> {
    number.try_into().ok().filter(|number| *number > 0)
}

fn is_before_2_1(version: &str) -> bool {
    matches!(version, "FIDO_2_0" | "FIDO_2_1_PRE")
}

/// Yubico packs major, minor and patch version into the low three bytes.
fn firmware(version: u32) -> Option<String> {
    let [_, major, minor, patch] = version.to_be_bytes();
    (major > 0).then(|| format!("{major}.{minor}.{patch}"))
}

thread_local! {
    static IN_CALL: Cell<bool> = const { Cell::new(false) };
}

/// Makes a call of the crate: what it prints is swallowed, a panic becomes [`KeyError::Garbled`], a sentence a kind.
///
/// # Errors
/// What the call answers, as a kind.
pub fn guarded<T, E: Display>(call: impl FnOnce() -> Result<T, E>) -> Result<T, KeyError> {
    silence_panics_of_calls();
    let _silent = SilentStdout::begin();
    IN_CALL.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(call));
    IN_CALL.set(false);
    match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(message)) => Err(status::parse(&message.to_string())),
        Err(_) => Err(KeyError::Garbled),
    }
}

/// A panic inside a call is an answer that could not be understood, not something to show to a person.
fn silence_panics_of_calls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IN_CALL.try_with(Cell::get).unwrap_or(false) {
                others(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;

    #[test]
    fn a_panic_in_the_crate_is_an_answer_that_could_not_be_understood() {
        let outcome = guarded(|| -> Result<(), String> { panic!("slice index out of range") });
        assert_eq!(outcome, Err(KeyError::Garbled));
        assert!(!IN_CALL.get());
    }

    #[test]
    fn a_sentence_of_the_crate_becomes_a_kind() {
        let outcome: Result<(), _> = guarded(|| Err("response_status err = 0x2E CTAP2_ERR_NO_CREDENTIALS"));
        assert_eq!(outcome, Err(KeyError::NoCredentials));
    }

    #[test]
    fn the_firmware_of_a_yubikey_is_shown_as_yubico_writes_it() {
        assert_eq!(firmware(0x0005_0701).as_deref(), Some("5.7.1"));
        assert_eq!(firmware(0), None);
        assert_eq!(firmware(3), None);
    }

    #[test]
    fn only_final_ctap_2_1_keys_can_be_chosen_by_touch() {
        assert!(is_before_2_1("FIDO_2_0") && is_before_2_1("FIDO_2_1_PRE"));
        assert!(!is_before_2_1("FIDO_2_1") && !is_before_2_1("FIDO_2_2"));
    }

    #[test]
    fn what_a_key_calls_itself_is_cut_and_cleaned() {
        let info = |product: &str| HidInfo {
            pid: 0x0407,
            vid: YUBICO,
            product_string: product.to_owned(),
            info: String::new(),
            param: HidParam::Path("/dev/hidraw0".to_owned()),
        };
        let product = |name: &str| device(&info(name)).map(|device| device.product).unwrap_or_default();
        assert_eq!(product("Yubico YubiKey OTP+FIDO+CCID"), "YubiKey OTP+FIDO+CCID");
        assert_eq!(product("\u{1b}[2J\u{7}Evil"), "[2JEvil");
        assert_eq!(product(""), "Security key");
        assert_eq!(product(&"x".repeat(500)).len(), 60);
    }
}
