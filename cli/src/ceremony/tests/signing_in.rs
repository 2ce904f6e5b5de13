use super::*;
use crate::{
    error::{Category, Failure},
    prompt::{Choice, Notice, Wanted, WrongKey, scripted::Seen},
    security_key::{
        KeyError,
        fake::{FakeKey, Touch},
    },
};

fn two_accounts() -> Arc<FakeKey> {
    FakeKey::with_pin(PIN).holds(RP, b"alice", "alice@example.com").holds(RP, b"root", "root@example.com")
}

#[test]
fn nothing_is_typed_but_the_pin_and_nothing_is_enumerated() {
    let key = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com").holds("other.example", b"x", "x");
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&[PIN]));
    let signed = scene.sign_in().unwrap();
    assert_eq!(signed.state, "sealed");
    assert_eq!(signed.assertion.raw_id, b"id");
    assert_eq!(signed.assertion.id, "aWQ");
    assert_eq!(signed.assertion.type_, "public-key");
    assert_eq!(signed.assertion.response.user_handle.as_deref(), Some(&b"handle of alice@example.com"[..]));
    let asked = key.edit(|state| state.signed.last().cloned()).unwrap();
    assert!(asked.allow.is_empty() && !asked.silent);
    assert_eq!(asked.client_data, signed.assertion.response.client_data_json);
    let client_data: serde_json::Value = serde_json::from_slice(&asked.client_data).unwrap();
    assert_eq!(client_data["origin"], "https://vouch.example.com");
    assert_eq!(client_data["type"], "webauthn.get");
    assert_eq!(client_data["challenge"], "-_8");
}

#[test]
fn the_look_before_the_touch_signs_nothing_an_issuer_would_take() {
    let key = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com");
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&[PIN]));
    scene.sign_in().unwrap();
    let look = key.edit(|state| state.signed.first().cloned()).unwrap();
    assert!(look.silent && look.client_data.is_empty());
}

#[test]
fn a_challenge_for_another_site_is_refused_before_the_key_is_touched() {
    let key = FakeKey::with_pin(PIN).holds("evil.example", b"id", "alice@example.com");
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&[PIN]));
    let challenge = login_challenge("evil.example", "sealed");
    let outcome = scene.ceremony().sign_in(&issuer(), &Remembered::default(), challenge, || panic!("not needed"));
    let failure = Failure::from(error(outcome));
    assert_eq!(failure.category, Category::Denied);
    assert!(failure.message.contains("evil.example") && failure.message.contains(RP), "{failure}");
    assert_eq!(key.edit(|state| state.calls.clone()), Vec::<&str>::new());
    assert_eq!(scene.person.seen(), []);
}

#[test]
fn a_wrong_key_is_no_reason_to_give_up() {
    let wrong = FakeKey::with_pin("999999");
    let right = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com");
    let bus = FakeBus::with(&[("usb1", &wrong)]);
    let (ports, other) = (Arc::clone(&bus), Arc::clone(&right));
    let person = Scripted::pins(&["999999", PIN]).reacting(move |notice| {
        if matches!(notice, Notice::InsertKey(Wanted::Another)) {
            ports.insert("usb2", &other);
        }
    });
    let scene = Scene::new(&bus, person);
    assert_eq!(scene.sign_in().unwrap().assertion.raw_id, b"id");
    assert_eq!(
        scene.person.notices()[..3],
        [
            Notice::WrongKey(WrongKey::NotEnrolled),
            Notice::InsertKey(Wanted::Another),
            Notice::KeyFound { name: "Key at usb2, firmware 5.7.1".to_owned() },
        ]
    );
    assert_eq!(wrong.edit(|state| state.calls.iter().filter(|call| **call == "get_assertions").count()), 0);
}

#[test]
fn after_a_wrong_key_the_other_plugged_in_one_is_used_without_asking() {
    let wrong = FakeKey::with_pin(PIN);
    let right = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com");
    right.edit(|state| state.touch = Touch::Never);
    let bus = FakeBus::with(&[("usb1", &wrong), ("usb2", &right)]);
    let later = Arc::clone(&right);
    let person = Scripted::pins(&[PIN, PIN]).reacting(move |notice| {
        if matches!(notice, Notice::WrongKey(_)) {
            later.edit(|state| state.touch = Touch::Now);
        }
    });
    let scene = Scene::new(&bus, person);
    assert_eq!(scene.sign_in().unwrap().assertion.raw_id, b"id");
}

#[test]
fn the_same_wrong_key_in_the_same_port_may_be_replaced_by_the_right_one() {
    let wrong = FakeKey::with_pin(PIN);
    let right = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com");
    let bus = FakeBus::with(&[("usb1", &wrong)]);
    let (ports, other) = (Arc::clone(&bus), Arc::clone(&right));
    let hand: std::sync::Mutex<Option<std::thread::JoinHandle<()>>> = std::sync::Mutex::new(None);
    let person = Scripted::pins(&[PIN, PIN]).reacting(move |notice| {
        if matches!(notice, Notice::InsertKey(Wanted::Another)) {
            ports.remove("usb1");
            let (ports, other) = (Arc::clone(&ports), Arc::clone(&other));
            let swap = move || {
                std::thread::sleep(Duration::from_millis(60));
                ports.insert("usb1", &other);
            };
            *hand.lock().unwrap() = Some(std::thread::spawn(swap));
        }
    });
    let mut scene = Scene::new(&bus, person);
    scene.timing.insert = Duration::from_secs(20);
    assert_eq!(scene.sign_in().unwrap().assertion.raw_id, b"id");
}

#[test]
fn a_key_that_is_swapped_faster_than_anybody_looks_is_noticed() {
    let wrong = FakeKey::with_pin(PIN);
    let right = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com");
    let bus = FakeBus::with(&[("usb1", &wrong)]);
    let (ports, old, new) = (Arc::clone(&bus), Arc::clone(&wrong), Arc::clone(&right));
    let person = Scripted::pins(&[PIN, PIN]).reacting(move |notice| {
        if matches!(notice, Notice::WrongKey(_)) {
            old.edit(|state| state.fail_next.push_back(KeyError::Unplugged));
            ports.remove("usb1");
            ports.insert("usb1", &new);
        }
    });
    let scene = Scene::new(&bus, person);
    assert_eq!(scene.sign_in().unwrap().assertion.raw_id, b"id");
}

#[test]
fn a_key_without_a_pin_cannot_be_enrolled_and_is_not_offered_one_here() {
    let scene = Scene::new(&FakeBus::with(&[("usb1", &FakeKey::without_pin())]), Scripted::default());
    assert!(matches!(error(scene.sign_in()), CeremonyError::NoKey(_)));
    assert_eq!(scene.person.notices()[0], Notice::WrongKey(WrongKey::NotEnrolled));
}

#[test]
fn of_several_accounts_the_person_names_one_before_the_touch() {
    let key = two_accounts();
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&[PIN]).choosing(&[1]));
    let signed = scene.sign_in().unwrap();
    assert_eq!(signed.assertion.raw_id, b"root");
    assert_eq!(signed.assertion.response.user_handle.as_deref(), Some(&b"handle of root@example.com"[..]));
    let names = vec!["alice@example.com".to_owned(), "root@example.com".to_owned()];
    let seen = scene.person.seen();
    let choice = seen.iter().position(|seen| *seen == Seen::Choose(Choice::Account, names.clone())).unwrap();
    let touch = seen.iter().position(|seen| *seen == Seen::Notice(Notice::TouchKey)).unwrap();
    assert!(choice < touch);
}

#[test]
fn the_remembered_account_is_used_without_asking() {
    for remembered in [
        Remembered { credential_id: Some(b"root".to_vec()), account: Some("alice@example.com".to_owned()) },
        Remembered { credential_id: Some(b"on another key".to_vec()), account: Some("root@example.com".to_owned()) },
    ] {
        let scene = Scene::new(&FakeBus::with(&[("usb1", &two_accounts())]), Scripted::pins(&[PIN]));
        assert_eq!(scene.sign_in_as(&remembered).unwrap().assertion.raw_id, b"root");
    }
}

#[test]
fn a_key_that_cannot_look_without_a_touch_asks_for_the_account_after_it() {
    let key = two_accounts();
    let same = Arc::clone(&key);
    let person = Scripted::pins(&[PIN]).choosing(&[0]).reacting(move |notice| {
        if *notice == Notice::Touched {
            assert!(same.edit(|state| state.calls.contains(&"look")));
        }
    });
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), person);
    key.edit(|state| state.refuse_looks = true);
    assert_eq!(scene.sign_in().unwrap().assertion.raw_id, b"alice");
}

#[test]
fn a_key_that_was_not_touched_in_time_says_what_to_do() {
    let key = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com");
    key.edit(|state| state.touch = Touch::TooLate);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&[PIN]));
    let error = error(scene.sign_in());
    assert!(matches!(error, CeremonyError::Key(KeyError::NotTouched)));
    let failure = Failure::from(error);
    assert_eq!(failure.category.exit_code(), 3);
    assert!(failure.hint.unwrap().contains("touch the key while it blinks"));
}

#[test]
fn a_challenge_that_grew_old_while_the_person_looked_for_the_key_is_fetched_anew() {
    let key = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com");
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&[PIN]));
    let mut old = login_challenge(RP, "old");
    old.expires_in = 0;
    let signed =
        scene.ceremony().sign_in(&issuer(), &Remembered::default(), old, || Ok(login_challenge(RP, "new"))).unwrap();
    assert_eq!(signed.state, "new");
}

#[test]
fn a_challenge_that_is_fetched_anew_is_checked_again() {
    let key = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com");
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&[PIN]));
    let mut old = login_challenge(RP, "old");
    old.expires_in = 0;
    let refetch = || Ok(login_challenge("evil.example", "new"));
    let outcome = scene.ceremony().sign_in(&issuer(), &Remembered::default(), old, refetch);
    assert!(matches!(error(outcome), CeremonyError::ForeignRelyingParty { .. }));
    assert!(!key.edit(|state| state.calls.contains(&"get_assertions")));
}
