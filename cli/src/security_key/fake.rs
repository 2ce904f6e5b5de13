//! A security key in memory, with the PIN states of CTAP 2.1 §6.5.1, and a bus it is plugged into.

#![allow(clippy::unwrap_used)]

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{
    Assertion, Attestation, Device, Discovery, GetAssertion, Info, KeyError, MakeCredential, Pin, PinState,
    SecurityKey, Verification,
};

/// How the person treats a blinking key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    /// At once.
    Now,
    /// Never; the key waits until it is cancelled.
    Never,
    /// Never; the key gives up.
    TooLate,
}

#[derive(Debug, Clone)]
pub(crate) struct StoredCredential {
    pub(crate) rp_id: String,
    pub(crate) id: Vec<u8>,
    pub(crate) user_id: Vec<u8>,
    pub(crate) user_name: String,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) info: Info,
    pub(crate) pin: Option<String>,
    pub(crate) retries: u32,
    pub(crate) wrong_in_a_row: u32,
    pub(crate) credentials: Vec<StoredCredential>,
    pub(crate) capacity: usize,
    pub(crate) touch: Touch,
    /// Failures to come, before anything else happens.
    pub(crate) fail_next: VecDeque<KeyError>,
    /// A sensor that does not know the finger this many times more.
    pub(crate) unknown_fingers: u32,
    pub(crate) can_delete: bool,
    /// A key that does nothing without a touch.
    pub(crate) refuse_looks: bool,
    pub(crate) calls: Vec<&'static str>,
    pub(crate) made: Vec<MakeCredential>,
    pub(crate) signed: Vec<GetAssertion>,
    cancelled: bool,
    waiting: bool,
}

pub(crate) struct FakeKey {
    pub(crate) state: Mutex<State>,
    changed: Condvar,
}

pub(crate) const AAGUID: Uuid = Uuid::from_u128(0x2fc0579f_8113_47ea_b116_bb5a8db9202a);

impl FakeKey {
    /// A key with this PIN, touched whenever it blinks.
    pub(crate) fn with_pin(pin: &str) -> Arc<Self> {
        let key = Self::without_pin();
        key.edit(|state| {
            state.pin = Some(pin.to_owned());
            state.info.pin = PinState::Set;
        });
        key
    }

    pub(crate) fn without_pin() -> Arc<Self> {
        let info = Info {
            aaguid: AAGUID,
            firmware: Some("5.7.1".to_owned()),
            pin: PinState::NotSet,
            force_pin_change: false,
            min_pin_length: 4,
            built_in_uv: false,
            resident_keys: true,
            selection: true,
            cred_protect: true,
            max_list: 8,
            max_message: 1200,
        };
        let state = State {
            info,
            pin: None,
            retries: 8,
            wrong_in_a_row: 0,
            credentials: Vec::new(),
            capacity: 25,
            touch: Touch::Now,
            fail_next: VecDeque::new(),
            unknown_fingers: 0,
            can_delete: true,
            refuse_looks: false,
            calls: Vec::new(),
            made: Vec::new(),
            signed: Vec::new(),
            cancelled: false,
            waiting: false,
        };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    pub(crate) fn edit<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    pub(crate) fn holds(self: &Arc<Self>, rp_id: &str, id: &[u8], user_name: &str) -> Arc<Self> {
        let credential = StoredCredential {
            rp_id: rp_id.to_owned(),
            id: id.to_vec(),
            user_id: format!("handle of {user_name}").into_bytes(),
            user_name: user_name.to_owned(),
        };
        self.edit(|state| state.credentials.push(credential));
        Arc::clone(self)
    }

    /// Taking it out and putting it in again.
    pub(crate) fn power_cycle(&self) {
        self.edit(|state| state.wrong_in_a_row = 0);
    }

    /// Waits until somebody waits for a touch.
    pub(crate) fn wait_until_blinking(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut state = self.state.lock().unwrap();
        while !state.waiting {
            assert!(Instant::now() < deadline, "the key never blinked");
            state = self.changed.wait_timeout(state, Duration::from_millis(50)).unwrap().0;
        }
    }

    pub(crate) fn is_blinking(&self) -> bool {
        self.state.lock().unwrap().waiting
    }

    fn begin(&self, call: &'static str) -> Result<(), KeyError> {
        let mut state = self.state.lock().unwrap();
        state.calls.push(call);
        state.fail_next.pop_front().map_or(Ok(()), Err)
    }

    fn wait_for_touch(&self) -> Result<(), KeyError> {
        let mut state = self.state.lock().unwrap();
        match state.touch {
            Touch::Now => return Ok(()),
            Touch::TooLate => return Err(KeyError::NotTouched),
            Touch::Never => {}
        }
        // As on a real key, a cancellation while idle is forgotten.
        state.cancelled = false;
        state.waiting = true;
        self.changed.notify_all();
        while !state.cancelled && state.touch == Touch::Never {
            state = self.changed.wait_timeout(state, Duration::from_millis(10)).unwrap().0;
        }
        state.waiting = false;
        if state.cancelled { Err(KeyError::Cancelled) } else { Ok(()) }
    }

    fn check_pin(&self, pin: &Pin) -> Result<(), KeyError> {
        let mut state = self.state.lock().unwrap();
        let Some(right) = state.pin.clone() else { return Err(KeyError::PinNotSet) };
        if state.retries == 0 {
            return Err(KeyError::PinBlocked);
        }
        if state.wrong_in_a_row >= 3 {
            return Err(KeyError::PinAuthBlocked);
        }
        if right == pin.expose() {
            state.retries = 8;
            state.wrong_in_a_row = 0;
            return Ok(());
        }
        state.retries -= 1;
        state.wrong_in_a_row += 1;
        Err(match (state.retries, state.wrong_in_a_row) {
            (0, _) => KeyError::PinBlocked,
            (_, 3..) => KeyError::PinAuthBlocked,
            _ => KeyError::PinInvalid,
        })
    }

    fn check(&self, proof: &Verification) -> Result<(), KeyError> {
        match proof {
            Verification::Pin(_) if self.edit(|state| state.info.force_pin_change) => Err(KeyError::PinInvalid),
            Verification::Pin(pin) => self.check_pin(pin),
            Verification::BuiltIn => self.edit(|state| {
                if state.unknown_fingers == 0 {
                    return Ok(());
                }
                state.unknown_fingers -= 1;
                Err(KeyError::UvInvalid)
            }),
        }
    }
}

impl SecurityKey for FakeKey {
    fn info(&self) -> Result<Info, KeyError> {
        self.begin("info")?;
        Ok(self.edit(|state| state.info.clone()))
    }

    fn pin_retries(&self) -> Result<u32, KeyError> {
        self.begin("pin_retries")?;
        Ok(self.edit(|state| state.retries))
    }

    fn verify_pin(&self, pin: &Pin) -> Result<(), KeyError> {
        self.begin("verify_pin")?;
        self.check(&Verification::Pin(pin.clone()))
    }

    fn set_pin(&self, new: &Pin) -> Result<(), KeyError> {
        self.begin("set_pin")?;
        self.edit(|state| {
            if state.pin.is_some() {
                return Err(KeyError::PinAuthInvalid);
            }
            state.pin = Some(new.expose().to_owned());
            state.info.pin = PinState::Set;
            Ok(())
        })
    }

    fn change_pin(&self, current: &Pin, new: &Pin) -> Result<(), KeyError> {
        self.begin("change_pin")?;
        self.check_pin(current)?;
        self.edit(|state| {
            let too_short = new.expose().chars().count() < state.info.min_pin_length as usize;
            if too_short || (state.info.force_pin_change && current.matches(new)) {
                return Err(KeyError::PinPolicy);
            }
            state.pin = Some(new.expose().to_owned());
            state.info.force_pin_change = false;
            Ok(())
        })
    }

    fn select(&self) -> Result<(), KeyError> {
        self.begin("select")?;
        self.wait_for_touch()
    }

    fn make_credential(&self, request: &MakeCredential, proof: &Verification) -> Result<Attestation, KeyError> {
        self.begin("make_credential")?;
        self.check(proof)?;
        self.wait_for_touch()?;
        self.edit(|state| {
            state.made.push(request.clone());
            let known = |id: &Vec<u8>| state.credentials.iter().any(|c| c.rp_id == request.rp_id && c.id == *id);
            if request.exclude.iter().any(known) {
                return Err(KeyError::Excluded);
            }
            if state.credentials.len() >= state.capacity {
                return Err(KeyError::StoreFull);
            }
            let id = format!("credential {}", state.made.len()).into_bytes();
            state.credentials.push(StoredCredential {
                rp_id: request.rp_id.clone(),
                id: id.clone(),
                user_id: request.user_id.clone(),
                user_name: request.user_name.clone(),
            });
            Ok(Attestation { credential_id: id, attestation_object: b"attestation".to_vec() })
        })
    }

    fn get_assertions(&self, request: &GetAssertion, proof: &Verification) -> Result<Vec<Assertion>, KeyError> {
        self.begin(if request.silent { "look" } else { "get_assertions" })?;
        if request.silent && self.edit(|state| state.refuse_looks) {
            return Err(KeyError::Unsupported(0x2B));
        }
        self.check(proof)?;
        if !request.silent {
            self.wait_for_touch()?;
        }
        self.edit(|state| {
            state.signed.push(request.clone());
            let fits = |c: &&StoredCredential| {
                c.rp_id == request.rp_id && (request.allow.is_empty() || request.allow.contains(&c.id))
            };
            let fitting: Vec<_> = state.credentials.iter().filter(fits).collect();
            let several = fitting.len() > 1;
            let found: Vec<_> = fitting
                .iter()
                .map(|c| Assertion {
                    credential_id: c.id.clone(),
                    authenticator_data: b"authenticator data".to_vec(),
                    signature: b"signature".to_vec(),
                    // A key that is told which credential to use need not say whose it is.
                    user_handle: if request.allow.is_empty() { c.user_id.clone() } else { Vec::new() },
                    user_name: if several { c.user_name.clone() } else { String::new() },
                })
                .collect();
            if found.is_empty() { Err(KeyError::NoCredentials) } else { Ok(found) }
        })
    }

    fn delete_credential(&self, credential_id: &[u8], pin: &Pin) -> Result<(), KeyError> {
        self.begin("delete_credential")?;
        self.check_pin(pin)?;
        self.edit(|state| {
            if !state.can_delete {
                return Err(KeyError::Unsupported(0x01));
            }
            let before = state.credentials.len();
            state.credentials.retain(|c| c.id != credential_id);
            if state.credentials.len() == before { Err(KeyError::InvalidCredential) } else { Ok(()) }
        })
    }

    fn cancel(&self) {
        let mut state = self.state.lock().unwrap();
        if state.waiting {
            state.cancelled = true;
        }
        self.changed.notify_all();
    }
}

/// The USB ports.
#[derive(Default)]
pub(crate) struct FakeBus {
    plugged: Mutex<Vec<(Device, Arc<FakeKey>)>>,
    pub(crate) refusal: Mutex<Option<KeyError>>,
    pub(crate) hidden: Mutex<Option<KeyError>>,
}

impl FakeBus {
    pub(crate) fn with(keys: &[(&str, &Arc<FakeKey>)]) -> Arc<Self> {
        let bus = Arc::new(Self::default());
        for (path, key) in keys {
            bus.insert(path, key);
        }
        bus
    }

    pub(crate) fn insert(&self, path: &str, key: &Arc<FakeKey>) {
        key.power_cycle();
        self.plugged.lock().unwrap().push((Self::device(path), Arc::clone(key)));
    }

    pub(crate) fn remove(&self, path: &str) {
        self.plugged.lock().unwrap().retain(|(device, _)| device.path != path);
    }

    fn device(path: &str) -> Device {
        Device { path: path.to_owned(), vendor: 0x1050, product: format!("Key at {path}") }
    }
}

impl Discovery for FakeBus {
    fn devices(&self) -> Result<Vec<Device>, KeyError> {
        Ok(self.plugged.lock().unwrap().iter().map(|(device, _)| device.clone()).collect())
    }

    fn open(&self, device: &Device) -> Result<Arc<dyn SecurityKey>, KeyError> {
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        let plugged = self.plugged.lock().unwrap();
        let (_, key) = plugged.iter().find(|(plugged, _)| plugged == device).ok_or(KeyError::Unplugged)?;
        Ok(Arc::clone(key) as Arc<dyn SecurityKey>)
    }

    fn hidden(&self) -> Option<KeyError> {
        self.hidden.lock().unwrap().clone()
    }
}
