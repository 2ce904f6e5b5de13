//! Whatever a security key, or a client in its place, sends as attestation object or authenticator data: it is verified
//! or refused, and a statement without a chain to Yubico is never accepted as a YubiKey.
#![no_main]

use std::sync::LazyLock;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;
use vouch_issuer::{
    config::{AuthenticatorPolicy, Authenticators},
    identity::webauthn::{Acceptance, RelyingParty},
    store::record::{UserId, UserRecord},
};
use webauthn_rs::prelude::PasskeyRegistration;
use webauthn_rs_proto::{AuthenticatorAttestationResponseRaw, RegisterPublicKeyCredential};

struct Ceremony {
    party: RelyingParty,
    yubikey: Acceptance,
    any: Acceptance,
    state: PasskeyRegistration,
    client_data: Vec<u8>,
}

static CEREMONY: LazyLock<Ceremony> = LazyLock::new(|| {
    let issuer = "https://vouch.example.com".parse().expect("an issuer URL");
    let party = RelyingParty::new(&issuer, "Example").expect("a relying party");
    let accepting = |policy| {
        Acceptance::of(&Authenticators { policy, allowed_aaguids: Vec::new() }).expect("built-in anchors can be read")
    };
    let (yubikey, any) = (accepting(AuthenticatorPolicy::YubiKey(None)), accepting(AuthenticatorPolicy::Any));
    let user = UserRecord {
        id: UserId(Uuid::from_u128(1)),
        email: "alice@example.com".parse().expect("an e-mail address"),
        groups: Vec::new(),
        disabled: false,
        created_at: Timestamp::UNIX_EPOCH,
        sessions_valid_from: Timestamp::UNIX_EPOCH,
        keys: Vec::new(),
        invite: None,
        used_challenges: Vec::new(),
    };
    let (options, state) = party.start_registration(&user, &yubikey).expect("a registration");
    let challenge = serde_json::to_value(&options.public_key.challenge).expect("a challenge");
    let client_data = serde_json::json!({
        "type": "webauthn.create", "challenge": challenge, "origin": "https://vouch.example.com", "crossOrigin": false,
    });
    Ceremony { party, yubikey, any, state, client_data: client_data.to_string().into_bytes() }
});

fuzz_target!(|bytes: &[u8]| {
    let ceremony = &*CEREMONY;
    let credential = RegisterPublicKeyCredential {
        id: "AAECAwQFBgcICQoLDA0ODw".to_owned(),
        raw_id: (0..16).collect::<Vec<u8>>().into(),
        response: AuthenticatorAttestationResponseRaw {
            attestation_object: bytes.to_vec().into(),
            client_data_json: ceremony.client_data.clone().into(),
            transports: None,
        },
        type_: "public-key".to_owned(),
        extensions: Default::default(),
    };
    let judged =
        |by: &Acceptance| ceremony.party.verify_registration(&credential, &ceremony.state, by, Timestamp::UNIX_EPOCH);
    let _ = judged(&ceremony.any);
    let as_yubikey = judged(&ceremony.yubikey);
    assert!(as_yubikey.is_err(), "accepted as a YubiKey without an attestation by Yubico");
});
