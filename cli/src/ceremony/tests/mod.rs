//! Ceremonies with a key and a person in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod pins;
mod registering;
mod selecting;
mod signing_in;

use std::{sync::Arc, time::Duration};

use serde_json::json;
use vouch_issuer_api::{enroll::RegistrationChallenge, oauth::ChallengeResponse};

use super::{Ceremony, CeremonyError, NewKey, Remembered, Signed, Timing};
use crate::{
    interrupt::Interrupt,
    issuer_url::IssuerUrl,
    prompt::scripted::Scripted,
    security_key::{Discovery, fake::FakeBus},
};

pub(crate) const RP: &str = "vouch.example.com";
pub(crate) const PIN: &str = "123456";

/// Long enough for a busy machine, short enough that no test waits for a person.
pub(crate) const QUICK: Timing = Timing {
    insert: Duration::from_millis(600),
    poll: Duration::from_millis(5),
    settle: Duration::from_millis(60),
    busy: Duration::from_millis(150),
    answer: Duration::from_secs(20),
    touch: Duration::from_secs(20),
    cancel: Duration::from_secs(5),
};

pub(crate) fn issuer() -> IssuerUrl {
    format!("https://{RP}").parse().unwrap()
}

pub(crate) fn login_challenge(rp_id: &str, state: &str) -> ChallengeResponse {
    serde_json::from_value(json!({
        "options": {"publicKey": {
            "challenge": "-_8", "rpId": rp_id, "allowCredentials": [], "userVerification": "required",
        }},
        "state": state, "expires_in": 300,
    }))
    .unwrap()
}

/// Options as the issuer sends them: resident key, credProtect 3, hmac-secret.
pub(crate) fn registration_challenge(exclude: &[&[u8]]) -> RegistrationChallenge {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
    let exclude: Vec<_> = exclude.iter().map(|id| json!({"type": "public-key", "id": B64.encode(id)})).collect();
    serde_json::from_value(json!({
        "options": {"publicKey": {
            "rp": {"name": "Example", "id": RP},
            "user": {"id": B64.encode("handle of alice@example.com"), "name": "alice@example.com", "displayName": "Alice"},
            "challenge": "-_8",
            "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
            "excludeCredentials": exclude,
            "authenticatorSelection": {"residentKey": "required", "requireResidentKey": true, "userVerification": "required"},
            "attestation": "direct",
            "extensions": {"credentialProtectionPolicy": "userVerificationRequired", "hmacCreateSecret": true},
        }},
        "state": "sealed", "expires_in": 300, "email": "alice@example.com", "organization": "Example Inc",
        "accepted_aaguids": [], "attestation_required": true, "first_key": true,
    }))
    .unwrap()
}

/// One ceremony's surroundings.
struct Scene {
    bus: Arc<FakeBus>,
    person: Scripted,
    interrupt: Interrupt,
    timing: Timing,
}

impl Scene {
    fn new(bus: &Arc<FakeBus>, person: Scripted) -> Self {
        Self { bus: Arc::clone(bus), person, interrupt: Interrupt::default(), timing: QUICK }
    }

    fn ceremony(&self) -> Ceremony<'_> {
        let keys: Arc<dyn Discovery> = Arc::clone(&self.bus) as _;
        Ceremony::new(keys, &self.person, &self.interrupt, self.timing)
    }

    fn sign_in(&self) -> Result<Signed, CeremonyError> {
        self.sign_in_as(&Remembered::default())
    }

    fn sign_in_as(&self, remembered: &Remembered) -> Result<Signed, CeremonyError> {
        let refetch = || panic!("the challenge is young");
        self.ceremony().sign_in(&issuer(), remembered, login_challenge(RP, "sealed"), refetch)
    }

    fn register(&self, challenge: &RegistrationChallenge) -> Result<NewKey, CeremonyError> {
        self.ceremony().register(&issuer(), challenge)
    }
}

/// Without the value, which has no `Debug` that shows nothing secret.
fn error<T>(outcome: Result<T, CeremonyError>) -> CeremonyError {
    match outcome {
        Ok(_) => panic!("it succeeded"),
        Err(error) => error,
    }
}
