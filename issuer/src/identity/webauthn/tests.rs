#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;
use vouch_issuer_api::error::ErrorCode;
use webauthn_rs::prelude::{Credential, Passkey};
use webauthn_rs_proto::{AttestationConveyancePreference, ResidentKeyRequirement, UserVerificationPolicy};

use super::{
    Acceptance, AcceptedCredential, KeyFault, RegistrationFault, RelyingParty, TrustAnchors, UnreadableAnchor,
    credential_id,
};
use crate::{
    store::conformance::{key, person},
    testing::authenticator::{AAGUID, Attestation, ISSUER, Maker, SecurityKey},
};

fn relying_party() -> RelyingParty {
    RelyingParty::new(&ISSUER.parse().unwrap(), "Example").unwrap()
}

/// Any key.
fn any() -> Acceptance {
    Acceptance::new(None, Vec::new())
}

/// Only YubiKeys.
fn yubikey() -> Acceptance {
    Acceptance::new(Some(TrustAnchors::yubico().clone()), Vec::new())
}

/// Only keys of this maker, and of these models.
fn made_by(maker: &Maker, models: &[Uuid]) -> Acceptance {
    Acceptance::new(Some(TrustAnchors::from_der([maker.root.as_slice()]).unwrap()), models.to_vec())
}

fn now() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

fn register(key: &mut SecurityKey, acceptance: &Acceptance) -> Result<AcceptedCredential, KeyFault> {
    explained(key, acceptance).map_err(|refused| refused.fault)
}

fn explained(key: &mut SecurityKey, acceptance: &Acceptance) -> Result<AcceptedCredential, RegistrationFault> {
    let party = relying_party();
    let (options, state) = party.start_registration(&person("alice"), acceptance).unwrap();
    party.verify_registration(&key.register(&options), &state, acceptance, now())
}

#[test]
fn a_refused_key_is_described_by_its_model_its_maker_and_what_is_wrong() {
    let foreign = Maker::new();
    let evidence = |key: &mut SecurityKey, acceptance: &Acceptance| explained(key, acceptance).unwrap_err().to_string();
    let text = evidence(&mut SecurityKey::new(Attestation::Packed(Maker::new())), &made_by(&foreign, &[]));
    assert!(
        text.starts_with(&format!("the maker of the security key is not trusted here (model {AAGUID}, attested by"))
    );
    assert!(text.contains("CN=Test attestation root") && text.contains("no trusted root has issued"), "{text}");
    assert!(evidence(&mut SecurityKey::unattested(), &yubikey()).contains("no attestation certificate"));
    let (maker, other) = (Maker::new(), Uuid::from_u128(1));
    let acceptance = made_by(&maker, &[other]);
    let text = evidence(&mut SecurityKey::new(Attestation::Packed(maker)), &acceptance);
    assert!(text.contains(&format!("not accepted here (model {AAGUID}, attested by")), "{text}");
}

fn enrolled(key: &mut SecurityKey) -> Passkey {
    register(key, &any()).unwrap().passkey
}

fn assert_with(key: &mut SecurityKey, passkey: &Passkey) -> Result<u32, KeyFault> {
    let party = relying_party();
    let (options, state) = party.start_assertion().unwrap();
    party.verify_assertion(&key.assert(&options), state, passkey).map(|result| result.counter())
}

#[test]
fn asks_for_a_resident_verified_attested_and_protected_credential() {
    let mut alice = person("alice");
    alice.keys = vec![key("a2V5LW9uZQ")];
    let maker = Maker::new();
    let (options, _) = relying_party().start_registration(&alice, &made_by(&maker, &[])).unwrap();
    let request = options.public_key;
    assert_eq!(request.rp.id, "vouch.example.com");
    assert_eq!(request.rp.name, "Example");
    assert_eq!(request.user.id, alice.id.0.as_bytes());
    assert_eq!(request.user.name, "alice@example.com");
    assert_eq!(request.challenge.len(), 32);
    let selection = request.authenticator_selection.unwrap();
    assert!(matches!(selection.resident_key, Some(ResidentKeyRequirement::Required)));
    assert!(selection.require_resident_key);
    assert!(matches!(selection.user_verification, UserVerificationPolicy::Required));
    assert!(matches!(request.attestation, Some(AttestationConveyancePreference::Direct)));
    let protection = request.extensions.unwrap().cred_protect.unwrap();
    assert_eq!(protection.enforce_credential_protection_policy, Some(true));
    let excluded: Vec<_> = request.exclude_credentials.unwrap().into_iter().map(|one| credential_id(&one.id)).collect();
    assert_eq!(excluded, [alice.keys[0].credential_id.clone()]);
}

#[test]
fn asks_any_key_of_this_relying_party_for_a_verified_assertion() {
    let (options, _) = relying_party().start_assertion().unwrap();
    assert_eq!(options.public_key.challenge.len(), 32);
    assert_eq!(options.public_key.rp_id, "vouch.example.com");
    assert!(options.public_key.allow_credentials.is_empty());
    assert!(matches!(options.public_key.user_verification, UserVerificationPolicy::Required));
    assert!(options.mediation.is_none());
}

#[test]
fn accepts_an_attested_key_and_knows_its_model() {
    let maker = Maker::new();
    let acceptance = made_by(&maker, &[]);
    let accepted = register(&mut SecurityKey::new(Attestation::Packed(maker)), &acceptance).unwrap().accepted;
    assert_eq!((accepted.aaguid, accepted.attested), (Some(AAGUID), true));
}

#[test]
fn a_key_that_nobody_vouches_for_is_accepted_as_such_where_any_key_is() {
    for (attestation, aaguid) in
        [(Attestation::Nothing, None), (Attestation::Itself, None), (Attestation::Packed(Maker::new()), Some(AAGUID))]
    {
        let accepted = register(&mut SecurityKey::new(attestation), &any()).unwrap().accepted;
        assert_eq!((accepted.aaguid, accepted.attested), (aaguid, false));
    }
}

#[test]
fn refuses_an_unattested_key_when_attestation_is_required() {
    for (attestation, fault) in [
        (Attestation::Nothing, KeyFault::NotAttested),
        (Attestation::Itself, KeyFault::NotAttested),
        (Attestation::Packed(Maker::new()), KeyFault::UntrustedMaker),
    ] {
        let outcome = register(&mut SecurityKey::new(attestation), &yubikey());
        assert_eq!(outcome.unwrap_err(), fault);
        assert_eq!(fault.code(), ErrorCode::KeyNotAccepted);
    }
}

#[test]
fn refuses_an_attestation_that_does_not_sign_the_user_verification() {
    let maker = Maker::new();
    let acceptance = made_by(&maker, &[]);
    let mut key = SecurityKey::new(Attestation::U2f(maker));
    key.aaguid = Uuid::nil();
    assert_eq!(register(&mut key, &acceptance).unwrap_err(), KeyFault::NotAttested);
    assert!(!register(&mut key, &any()).unwrap().accepted.attested);
}

#[test]
fn without_anchors_nobody_is_trusted() {
    let acceptance = Acceptance::new(Some(TrustAnchors::default()), Vec::new());
    let outcome = register(&mut SecurityKey::new(Attestation::Packed(Maker::new())), &acceptance);
    assert_eq!(outcome.unwrap_err(), KeyFault::UntrustedMaker);
}

#[test]
fn refuses_a_model_that_is_not_allowed() {
    for (model, refused) in [(AAGUID, false), (Uuid::from_u128(1), true)] {
        let maker = Maker::of_model(model);
        let acceptance = made_by(&maker, &[Uuid::from_u128(2), AAGUID]);
        let outcome = register(&mut SecurityKey::new(Attestation::Packed(maker)), &acceptance);
        assert_eq!(outcome.err(), refused.then_some(KeyFault::Model));
    }
    let unproven = register(&mut SecurityKey::unattested(), &Acceptance::new(None, vec![AAGUID]));
    assert_eq!(unproven.unwrap_err(), KeyFault::Model);
}

#[test]
fn refuses_a_model_that_its_certificate_contradicts() {
    let maker = Maker::of_model(Uuid::from_u128(1));
    let acceptance = made_by(&maker, &[AAGUID]);
    let mut key = SecurityKey::new(Attestation::Packed(maker));
    key.aaguid = AAGUID;
    assert_eq!(register(&mut key, &acceptance).unwrap_err(), KeyFault::Model);
}

#[test]
fn refuses_a_dropped_or_lowered_credential_protection() {
    for (attested, protection, refused) in [
        (true, Some(3), false),
        (true, Some(2), true),
        (true, Some(1), true),
        (true, None, true),
        (false, Some(1), true),
        (false, None, false),
    ] {
        let maker = Maker::new();
        let acceptance = if attested { made_by(&maker, &[]) } else { any() };
        let mut key = SecurityKey::new(Attestation::Packed(maker));
        key.cred_protect = protection;
        let outcome = register(&mut key, &acceptance);
        assert_eq!(outcome.err(), refused.then_some(KeyFault::Unprotected), "{attested} {protection:?}");
    }
}

#[test]
fn refuses_a_credential_that_can_leave_its_hardware_when_attestation_is_required() {
    let maker = Maker::new();
    let acceptance = made_by(&maker, &[]);
    let mut key = SecurityKey::new(Attestation::Packed(maker));
    key.backup_eligible = true;
    assert_eq!(register(&mut key, &acceptance).unwrap_err(), KeyFault::Synchronised);
}

#[test]
fn refuses_a_registration_without_verification_presence_or_the_right_origin() {
    type Change = fn(&mut SecurityKey);
    let changes: [(Change, KeyFault); 7] = [
        (|key| key.user_verified = false, KeyFault::UserNotVerified),
        (|key| key.user_present = false, KeyFault::UserNotPresent),
        (|key| key.origin = "https://vouch.example.org".to_owned(), KeyFault::Origin),
        (|key| key.origin = "http://vouch.example.com".to_owned(), KeyFault::Origin),
        (|key| key.origin = "https://login.vouch.example.com".to_owned(), KeyFault::Origin),
        (|key| key.cross_origin = true, KeyFault::Origin),
        (|key| key.rp_id = Some("example.com".to_owned()), KeyFault::RelyingParty),
    ];
    for (change, fault) in changes {
        let mut key = SecurityKey::unattested();
        change(&mut key);
        assert_eq!(register(&mut key, &any()).unwrap_err(), fault);
    }
}

#[test]
fn refuses_a_registration_for_another_challenge() {
    let (party, acceptance) = (relying_party(), any());
    let (options, _) = party.start_registration(&person("alice"), &acceptance).unwrap();
    let (_, other_state) = party.start_registration(&person("alice"), &acceptance).unwrap();
    let credential = SecurityKey::unattested().register(&options);
    assert_eq!(
        party.verify_registration(&credential, &other_state, &acceptance, now()).unwrap_err().fault,
        KeyFault::Challenge
    );
}

#[test]
fn accepts_assertions_whose_counter_rises() {
    let mut key = SecurityKey::unattested();
    let passkey = enrolled(&mut key);
    assert_eq!(assert_with(&mut key, &passkey), Ok(2));
    assert_eq!(assert_with(&mut key, &passkey), Ok(3));
}

#[test]
fn refuses_a_counter_that_goes_back_or_stands_still() {
    let mut key = SecurityKey::unattested();
    key.counter = 10;
    let passkey = enrolled(&mut key);
    for (shown, outcome) in [(6, Err(KeyFault::Counter)), (11, Err(KeyFault::Counter)), (12, Ok(12))] {
        key.counter = shown - 1;
        assert_eq!(assert_with(&mut key, &passkey), outcome, "{shown}");
    }
}

#[test]
fn accepts_a_key_that_does_not_count() {
    let mut key = SecurityKey::unattested();
    key.counts = false;
    let passkey = enrolled(&mut key);
    assert_eq!(assert_with(&mut key, &passkey), Ok(0));
}

#[test]
fn refuses_an_assertion_that_differs_from_what_was_asked() {
    type Change = fn(&mut SecurityKey);
    let changes: [(Change, KeyFault); 8] = [
        (|key| key.user_verified = false, KeyFault::UserNotVerified),
        (|key| key.user_present = false, KeyFault::UserNotPresent),
        (|key| key.origin = "https://vouch.example.org".to_owned(), KeyFault::Origin),
        (|key| key.origin = "https://vouch.example.com:8443".to_owned(), KeyFault::Origin),
        (|key| key.cross_origin = true, KeyFault::Origin),
        (|key| key.rp_id = Some("example.com".to_owned()), KeyFault::RelyingParty),
        (|key| key.backup_eligible = true, KeyFault::BackupChanged),
        (|key| key.credential_id = vec![1; 32], KeyFault::Malformed),
    ];
    for (change, fault) in changes {
        let mut key = SecurityKey::unattested();
        let passkey = enrolled(&mut key);
        change(&mut key);
        assert_eq!(assert_with(&mut key, &passkey).unwrap_err(), fault);
    }
}

#[test]
fn refuses_an_assertion_by_another_key_or_for_another_challenge() {
    let mut key = SecurityKey::unattested();
    let passkey = enrolled(&mut key);
    let mut impostor = SecurityKey::unattested();
    impostor.credential_id.clone_from(&key.credential_id);
    impostor.counter = 100;
    assert_eq!(assert_with(&mut impostor, &passkey), Err(KeyFault::Signature));
    let party = relying_party();
    let (options, _) = party.start_assertion().unwrap();
    let (_, other_state) = party.start_assertion().unwrap();
    let assertion = key.assert(&options);
    assert_eq!(party.verify_assertion(&assertion, other_state, &passkey).unwrap_err(), KeyFault::Challenge);
}

#[test]
fn refuses_a_registration_where_an_assertion_belongs() {
    let mut key = SecurityKey::unattested();
    let passkey = enrolled(&mut key);
    let party = relying_party();
    let (options, state) = party.start_assertion().unwrap();
    let mut assertion = key.assert(&options);
    let client_data = String::from_utf8(assertion.response.client_data_json).unwrap();
    assertion.response.client_data_json = client_data.replace("webauthn.get", "webauthn.create").into_bytes();
    assert_eq!(party.verify_assertion(&assertion, state, &passkey).unwrap_err(), KeyFault::Ceremony);
}

#[test]
fn the_built_in_anchors_are_the_published_ones() {
    let fingerprints: BTreeSet<String> = TrustAnchors::yubico()
        .list()
        .cas()
        .keys()
        .map(|digest| digest.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    let expected = [
        "0fa1386f80eb8713263ae5c1d84deb455bdf08aea50ab05503cefee82b092d42",
        "35f1a54b353bfb711e6d42adbeb76c0e9dead095018e6a94783ba2192fd6faad",
        "3c6fe819adbd80afe75dc90af7bba34c95b2b7ac64384816e033f63b7c93848b",
        "4eadda86ff62cff987e111a07910d8554de42f71d5d6da7744610e09012dd319",
        "4ebabc9cbc964f722c985f3784d057e9ef5dcf454dcb4f767fccca58cf16a4e8",
    ];
    assert_eq!(fingerprints, expected.map(str::to_owned).into());
}

/// The certificate of a real YubiKey, as every such key shows it to every website.
const YUBIKEY_CERTIFICATE: &str = "MIICvTCCAaWgAwIBAgIEK_F8eDANBgkqhkiG9w0BAQsFADAuMSwwKgYDVQQDEyNZdWJpY28gVTJGIFJvb3QgQ0EgU2VyaWFsIDQ1NzIwMDYzMTAgFw0xNDA4MDEwMDAwMDBaGA8yMDUwMDkwNDAwMDAwMFowbjELMAkGA1UEBhMCU0UxEjAQBgNVBAoMCVl1YmljbyBBQjEiMCAGA1UECwwZQXV0aGVudGljYXRvciBBdHRlc3RhdGlvbjEnMCUGA1UEAwweWXViaWNvIFUyRiBFRSBTZXJpYWwgNzM3MjQ2MzI4MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdMLHhCPIcS6bSPJZWGb8cECuTN8H13fVha8Ek5nt-pI8vrSflxb59Vp4bDQlH8jzXj3oW1ZwUDjHC6EnGWB5i6NsMGowIgYJKwYBBAGCxAoCBBUxLjMuNi4xLjQuMS40MTQ4Mi4xLjcwEwYLKwYBBAGC5RwCAQEEBAMCAiQwIQYLKwYBBAGC5RwBAQQEEgQQxe9V_62aS5-1gK3rr-Am0DAMBgNVHRMBAf8EAjAAMA0GCSqGSIb3DQEBCwUAA4IBAQCLbpN2nXhNbunZANJxAn_Cd-S4JuZsObnUiLnLLS0FPWa01TY8F7oJ8bE-aFa4kTe6NQQfi8-yiZrQ8N-JL4f7gNdQPSrH-r3iFd4SvroDe1jaJO4J9LeiFjmRdcVa-5cqNF4G1fPCofvw9W4lKnObuPakr0x_icdVq1MXhYdUtQk6Zr5mBnc4FhN9qi7DXqLHD5G7ZFUmGwfIcD2-0m1f1mwQS8yRD5-_aDCf3vutwddoi3crtivzyromwbKklR4qHunJ75LGZLZA8pJ_mXnUQ6TTsgRqPvPXgQPbSyGMf2z_DIPbQqCD_Bmc4dj9o6LozheBdDtcZCAjSPTAd_ui";

#[test]
fn the_certificate_of_a_real_yubikey_leads_to_a_built_in_anchor() {
    let model = "c5ef55ff-ad9a-4b9f-b580-adebafe026d0";
    let mut json = serde_json::to_value(key("a2V5LW9uZQ").passkey).unwrap();
    json["cred"]["attestation"] =
        serde_json::json!({"data": {"Basic": [YUBIKEY_CERTIFICATE]}, "metadata": {"Packed": {"aaguid": model}}});
    json["cred"]["attestation_format"] = "packed".into();
    let credential = Credential::from(serde_json::from_value::<Passkey>(json).unwrap());
    let accepted = yubikey().judge(&credential).unwrap();
    assert_eq!((accepted.aaguid.unwrap().to_string().as_str(), accepted.attested), (model, true));
    assert_eq!(made_by(&Maker::new(), &[]).judge(&credential).unwrap_err(), KeyFault::UntrustedMaker);
}

#[test]
fn anchors_are_taken_whole_or_not_at_all() {
    let (one, two) = (Maker::new().root, Maker::new().root);
    let both = TrustAnchors::from_der([one.as_slice(), &two]).unwrap();
    assert_eq!(both.list().len(), 2);
    assert_eq!(TrustAnchors::from_der([one.as_slice(), &two[1..]]), Err(UnreadableAnchor(2)));
}
