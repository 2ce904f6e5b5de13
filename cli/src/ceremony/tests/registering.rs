use uuid::Uuid;

use super::*;
use crate::{
    error::{Category, Failure},
    prompt::{Notice, Wanted, WrongKey},
    security_key::{
        KeyError,
        fake::{AAGUID, FakeKey},
    },
};

fn scene_with(key: &Arc<FakeKey>) -> Scene {
    Scene::new(&FakeBus::with(&[("usb1", key)]), Scripted::pins(&[PIN]))
}

#[test]
fn the_issuers_options_are_obeyed() {
    let key = FakeKey::with_pin(PIN);
    let scene = scene_with(&key);
    let new = scene.register(&registration_challenge(&[b"old 1", b"old 2"])).unwrap();
    let asked = key.edit(|state| state.made.last().cloned()).unwrap();
    assert!(asked.resident && asked.uv_required && asked.hmac_secret);
    assert_eq!(asked.exclude, [b"old 1".to_vec(), b"old 2".to_vec()]);
    assert_eq!(asked.rp_id, RP);
    assert_eq!(asked.user_id, b"handle of alice@example.com");
    assert_eq!((asked.user_name.as_str(), asked.user_display_name.as_str()), ("alice@example.com", "Alice"));
    let client_data: serde_json::Value = serde_json::from_slice(&asked.client_data).unwrap();
    assert_eq!(client_data["type"], "webauthn.create");
    assert_eq!(client_data["origin"], "https://vouch.example.com");
    assert_eq!(new.credential.response.client_data_json, asked.client_data);
    assert_eq!(new.credential.response.attestation_object, b"attestation");
    assert_eq!(new.credential.raw_id, b"credential 1");
    assert_eq!(new.credential.extensions.cred_props.as_ref().and_then(|props| props.rk), Some(true));
}

#[test]
fn what_the_issuer_does_not_ask_for_is_not_done() {
    let key = FakeKey::with_pin(PIN);
    let mut challenge = registration_challenge(&[]);
    challenge.options.public_key.extensions = None;
    challenge.options.public_key.authenticator_selection = None;
    scene_with(&key).register(&challenge).unwrap();
    let asked = key.edit(|state| state.made.last().cloned()).unwrap();
    assert!(!asked.resident && !asked.uv_required && !asked.hmac_secret);
}

#[test]
fn a_model_that_is_not_accepted_is_refused_before_the_key_makes_anything() {
    let key = FakeKey::with_pin(PIN);
    let mut challenge = registration_challenge(&[]);
    challenge.accepted_aaguids = vec![Uuid::from_u128(1)];
    let scene = scene_with(&key);
    assert!(matches!(error(scene.register(&challenge)), CeremonyError::NoKey(_)));
    assert!(scene.person.was_told(&Notice::WrongKey(WrongKey::ModelNotAccepted)));
    assert!(key.edit(|state| state.calls.iter().all(|call| *call == "info")));
    challenge.accepted_aaguids.push(AAGUID);
    scene_with(&key).register(&challenge).unwrap();
}

#[test]
fn a_key_that_cannot_do_what_is_asked_is_refused_before_it_makes_anything() {
    for (resident_keys, cred_protect) in [(false, true), (true, false)] {
        let key = FakeKey::with_pin(PIN);
        key.edit(|state| (state.info.resident_keys, state.info.cred_protect) = (resident_keys, cred_protect));
        let scene = scene_with(&key);
        assert!(matches!(error(scene.register(&registration_challenge(&[]))), CeremonyError::NoKey(_)));
        assert!(scene.person.was_told(&Notice::WrongKey(WrongKey::NotCapable)));
    }
}

#[test]
fn a_key_that_is_enrolled_already_makes_way_for_another() {
    let (old, new) = (FakeKey::with_pin(PIN).holds(RP, b"old", "alice@example.com"), FakeKey::with_pin(PIN));
    let bus = FakeBus::with(&[("usb1", &old)]);
    let (ports, other) = (Arc::clone(&bus), Arc::clone(&new));
    let person = Scripted::pins(&[PIN, PIN]).reacting(move |notice| {
        if matches!(notice, Notice::InsertKey(_)) {
            ports.insert("usb2", &other);
        }
    });
    let scene = Scene::new(&bus, person);
    scene.register(&registration_challenge(&[b"old"])).unwrap();
    assert!(scene.person.was_told(&Notice::WrongKey(WrongKey::AlreadyEnrolled)));
    assert_eq!(old.edit(|state| state.credentials.len()), 1);
    assert_eq!(new.edit(|state| state.credentials.len()), 1);
}

#[test]
fn after_signing_in_with_one_key_the_other_one_is_registered() {
    let (old, new) = (FakeKey::with_pin(PIN).holds(RP, b"old", "alice@example.com"), FakeKey::with_pin(PIN));
    let bus = FakeBus::with(&[("usb1", &old)]);
    let (ports, other) = (Arc::clone(&bus), Arc::clone(&new));
    let person = Scripted::pins(&[PIN, PIN]).reacting(move |notice| {
        if *notice == Notice::InsertKey(Wanted::New) {
            ports.insert("usb2", &other);
        }
    });
    let scene = Scene::new(&bus, person);
    let mut ceremony = scene.ceremony();
    let challenge = login_challenge(RP, "s");
    ceremony.sign_in(&issuer(), &Remembered::default(), challenge, || panic!("not needed")).unwrap();
    let mut challenge = registration_challenge(&[b"old"]);
    challenge.first_key = false;
    ceremony.register(&issuer(), &challenge).unwrap();
    assert_eq!(new.edit(|state| state.credentials.len()), 1);
}

#[test]
fn a_long_exclude_list_is_looked_up_in_parts_and_never_cut() {
    let ids: Vec<Vec<u8>> = (0..20_u8).map(|n| vec![n; 32]).collect();
    let ids: Vec<&[u8]> = ids.iter().map(Vec::as_slice).collect();
    let enrolled = FakeKey::with_pin(PIN).holds(RP, ids[0], "alice@example.com");
    let scene = scene_with(&enrolled);
    assert!(matches!(error(scene.register(&registration_challenge(&ids))), CeremonyError::NoKey(_)));
    assert!(scene.person.was_told(&Notice::WrongKey(WrongKey::AlreadyEnrolled)));
    assert_eq!(enrolled.edit(|state| state.made.len()), 0);

    let fresh = FakeKey::with_pin(PIN);
    scene_with(&fresh).register(&registration_challenge(&ids)).unwrap();
    let (looks, last) = fresh.edit(|state| (state.signed.clone(), state.made[0].exclude.clone()));
    assert_eq!(looks.iter().map(|look| look.allow.len()).collect::<Vec<_>>(), [8, 8]);
    assert_eq!(last.len(), 4);
}

#[test]
fn a_full_key_says_what_to_do() {
    let key = FakeKey::with_pin(PIN);
    key.edit(|state| state.capacity = 0);
    let failure = Failure::from(error(scene_with(&key).register(&registration_challenge(&[]))));
    assert_eq!(failure.category, Category::NoKey);
    assert!(
        failure.message.contains("no room") && failure.hint.unwrap().contains("use another key"),
        "{}",
        failure.message
    );
}

#[test]
fn options_for_another_site_are_refused_before_the_key_is_touched() {
    let key = FakeKey::with_pin(PIN);
    let mut challenge = registration_challenge(&[]);
    challenge.options.public_key.rp.id = "example.com".to_owned();
    assert!(matches!(error(scene_with(&key).register(&challenge)), CeremonyError::ForeignRelyingParty { .. }));
    assert_eq!(key.edit(|state| state.calls.clone()), Vec::<&str>::new());
}

#[test]
fn options_no_key_can_meet_are_refused_before_the_key_is_touched() {
    let key = FakeKey::with_pin(PIN);
    let mut without_es256 = registration_challenge(&[]);
    without_es256.options.public_key.pub_key_cred_params[0].alg = -257;
    let mut without_handle = registration_challenge(&[]);
    without_handle.options.public_key.user.id.clear();
    for challenge in [without_es256, without_handle] {
        assert!(matches!(error(scene_with(&key).register(&challenge)), CeremonyError::Options(_)));
    }
    assert_eq!(key.edit(|state| state.calls.clone()), Vec::<&str>::new());
}

#[test]
fn a_refused_credential_is_deleted_from_the_key() {
    let key = FakeKey::with_pin(PIN);
    let scene = scene_with(&key);
    let new = scene.register(&registration_challenge(&[])).unwrap();
    assert_eq!(key.edit(|state| state.credentials.len()), 1);
    scene.ceremony().discard(new);
    assert_eq!(key.edit(|state| state.credentials.len()), 0);
    assert!(scene.person.was_told(&Notice::OrphanDeleted));
}

#[test]
fn a_refused_credential_that_stays_is_not_kept_quiet() {
    let key = FakeKey::with_pin(PIN);
    key.edit(|state| state.can_delete = false);
    let scene = scene_with(&key);
    let new = scene.register(&registration_challenge(&[])).unwrap();
    scene.ceremony().discard(new);
    assert!(scene.person.was_told(&Notice::OrphanLeft));
}

#[test]
fn ctrl_c_waits_until_a_new_credential_is_settled() {
    let key = FakeKey::with_pin(PIN);
    let scene = scene_with(&key);
    let new = scene.register(&registration_challenge(&[])).unwrap();
    assert!(!scene.interrupt.raise(), "a shield is held while the issuer does not know the credential");
    drop(new);
}

#[test]
fn a_touch_that_is_as_fast_as_ctrl_c_still_counts() {
    let key = FakeKey::with_pin(PIN);
    let bus = FakeBus::with(&[("usb1", &key)]);
    let interrupt = Interrupt::default();
    let signal = interrupt.clone();
    let person = Scripted::pins(&[PIN]).reacting(move |notice| {
        if *notice == Notice::Touched {
            signal.raise();
        }
    });
    let scene = Scene { bus, person, interrupt, timing: QUICK };
    let new = scene.register(&registration_challenge(&[])).unwrap();
    assert_eq!(new.credential.raw_id, b"credential 1");
}

#[test]
fn a_pin_error_of_the_key_leaves_no_credential() {
    let key = FakeKey::with_pin(PIN);
    let same = Arc::clone(&key);
    let person = Scripted::pins(&[PIN]).reacting(move |notice| {
        if *notice == Notice::TouchKey {
            same.edit(|state| state.fail_next.push_back(KeyError::PinAuthInvalid));
        }
    });
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), person);
    assert!(matches!(
        error(scene.register(&registration_challenge(&[]))),
        CeremonyError::Key(KeyError::PinAuthInvalid)
    ));
    assert_eq!(key.edit(|state| state.credentials.len()), 0);
}
