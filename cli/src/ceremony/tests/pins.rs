use super::*;
use crate::{
    error::{Category, Failure},
    prompt::{Confirmation, Notice, PinQuestion, PromptError, scripted::Seen},
    security_key::{KeyError, PinState, fake::FakeKey, pin::PinLength},
};

fn enrolled(pin: &str) -> Arc<FakeKey> {
    FakeKey::with_pin(pin).holds(RP, b"id", "alice@example.com")
}

#[test]
fn a_wrong_pin_is_asked_for_again_with_the_tries_that_are_left() {
    let key = enrolled(PIN);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&["000000", PIN]));
    scene.sign_in().unwrap();
    assert_eq!(
        scene.person.seen(),
        [
            Seen::Pin(PinQuestion::Current { tries_left: 8 }),
            Seen::Notice(Notice::WrongPin { tries_left: 7 }),
            Seen::Pin(PinQuestion::Current { tries_left: 7 }),
            Seen::Notice(Notice::TouchKey),
            Seen::Notice(Notice::Touched),
        ]
    );
}

#[test]
fn after_three_wrong_pins_in_a_row_the_key_is_reinserted_and_the_ceremony_goes_on() {
    let key = enrolled(PIN);
    let bus = FakeBus::with(&[("usb1", &key)]);
    let (ports, same) = (Arc::clone(&bus), Arc::clone(&key));
    let person = Scripted::pins(&["000000", "000001", "000002", PIN]).reacting(move |notice| match notice {
        Notice::Reinsert => ports.remove("usb1"),
        Notice::InsertKey(_) => ports.insert("usb1", &same),
        _ => {}
    });
    let scene = Scene::new(&bus, person);
    scene.sign_in().unwrap();
    assert!(scene.person.was_told(&Notice::Reinsert));
    assert_eq!(key.edit(|state| state.retries), 8);
}

#[test]
fn a_key_that_is_not_reinserted_is_not_waited_for_without_end() {
    let key = enrolled(PIN);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&["000000", "000001", "000002"]));
    let error = error(scene.sign_in());
    assert!(matches!(error, CeremonyError::Key(KeyError::PinAuthBlocked)), "{error}");
    assert!(Failure::from(error).hint.unwrap().contains("Remove the key"));
}

#[test]
fn a_key_that_already_waits_to_be_reinserted_costs_no_further_try() {
    let key = enrolled(PIN);
    let bus = FakeBus::with(&[("usb1", &key)]);
    key.edit(|state| (state.retries, state.wrong_in_a_row) = (5, 3));
    let scene = Scene::new(&bus, Scripted::pins(&[PIN]));
    assert!(matches!(error(scene.sign_in()), CeremonyError::Key(KeyError::PinAuthBlocked)));
    assert_eq!(key.edit(|state| state.retries), 5);
}

#[test]
fn a_blocked_pin_is_said_before_the_person_types_anything() {
    let key = enrolled(PIN);
    key.edit(|state| state.retries = 0);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::default());
    let failure = Failure::from(error(scene.sign_in()));
    assert_eq!(failure.category, Category::NoKey);
    assert!(failure.message.contains("blocked") && failure.hint.unwrap().contains("reset"), "{}", failure.message);
    assert_eq!(scene.person.seen(), []);
}

#[test]
fn the_last_wrong_pin_blocks_the_key_and_says_so() {
    let key = enrolled(PIN);
    key.edit(|state| state.retries = 1);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&["000000"]));
    assert!(matches!(error(scene.sign_in()), CeremonyError::Key(KeyError::PinBlocked)));
}

#[test]
fn what_cannot_be_a_pin_never_reaches_the_key() {
    let key = enrolled(PIN);
    let long = "x".repeat(70);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&["", "123", &long, PIN]));
    scene.sign_in().unwrap();
    let told = scene.person.notices();
    assert_eq!(told[0], Notice::PinLength(PinLength::TooShort { min: 4 }));
    assert_eq!(told[2], Notice::PinLength(PinLength::TooLong));
    assert_eq!(key.edit(|state| state.calls.iter().filter(|call| **call == "verify_pin").count()), 1);
}

#[test]
fn a_key_without_a_pin_gets_one_when_it_is_enrolled() {
    let key = FakeKey::without_pin();
    key.edit(|state| state.info.min_pin_length = 6);
    let person = Scripted::pins(&["1234", "123456", "654321", "123456", "123456"]).confirming(&[true]);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), person);
    scene.register(&registration_challenge(&[])).unwrap();
    assert_eq!(key.edit(|state| state.pin.clone()).as_deref(), Some("123456"));
    let seen = scene.person.seen();
    assert_eq!(
        seen[1..],
        [
            Seen::Confirm(Confirmation::SetPin),
            Seen::Notice(Notice::PinRules { min: 6 }),
            Seen::Pin(PinQuestion::New),
            Seen::Notice(Notice::PinLength(PinLength::TooShort { min: 6 })),
            Seen::Pin(PinQuestion::New),
            Seen::Pin(PinQuestion::Repeat),
            Seen::Notice(Notice::PinsDiffer),
            Seen::Pin(PinQuestion::New),
            Seen::Pin(PinQuestion::Repeat),
            Seen::Notice(Notice::PinSet),
            Seen::Notice(Notice::TouchKey),
            Seen::Notice(Notice::Touched),
        ]
    );
}

#[test]
fn a_person_who_does_not_want_a_pin_gets_no_credential() {
    let key = FakeKey::without_pin();
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::default().confirming(&[false]));
    assert!(matches!(error(scene.register(&registration_challenge(&[]))), CeremonyError::Key(KeyError::PinNotSet)));
    assert_eq!(key.edit(|state| (state.pin.clone(), state.credentials.len())), (None, 0));
}

#[test]
fn a_new_pin_the_key_refuses_is_asked_for_again() {
    let key = FakeKey::without_pin();
    let bus = FakeBus::with(&[("usb1", &key)]);
    let same = Arc::clone(&key);
    let person = Scripted::pins(&["111111", "111111", PIN, PIN]).confirming(&[true]).reacting(move |notice| {
        if matches!(notice, Notice::PinRules { .. }) {
            same.edit(|state| state.fail_next.push_back(KeyError::PinPolicy));
        }
    });
    let scene = Scene::new(&bus, person);
    scene.register(&registration_challenge(&[])).unwrap();
    assert!(scene.person.was_told(&Notice::PinRefused));
    assert_eq!(key.edit(|state| state.pin.clone()).as_deref(), Some(PIN));
}

#[test]
fn a_forced_change_asks_for_the_old_pin_and_a_new_one_before_anything_else() {
    let key = enrolled(PIN);
    key.edit(|state| (state.info.force_pin_change, state.info.min_pin_length) = (true, 8));
    let person = Scripted::pins(&["000000", "87654321", "87654321", PIN, "87654321", "87654321"]);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), person);
    scene.sign_in().unwrap();
    assert_eq!(key.edit(|state| state.pin.clone()).as_deref(), Some("87654321"));
    let told = scene.person.notices();
    assert_eq!(
        told,
        [
            Notice::PinChangeForced,
            Notice::PinRules { min: 8 },
            Notice::WrongPin { tries_left: 7 },
            Notice::PinChanged,
            Notice::TouchKey,
            Notice::Touched,
        ]
    );
}

#[test]
fn a_forced_change_to_the_same_pin_is_refused_by_the_key_and_asked_again() {
    let key = enrolled(PIN);
    key.edit(|state| state.info.force_pin_change = true);
    let person = Scripted::pins(&[PIN, PIN, PIN, "654321", "654321"]);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), person);
    scene.sign_in().unwrap();
    assert!(scene.person.was_told(&Notice::PinRefused));
}

#[test]
fn a_key_with_a_sensor_is_not_asked_for_its_pin() {
    let key = enrolled(PIN);
    key.edit(|state| state.info.built_in_uv = true);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::default());
    scene.sign_in().unwrap();
    assert_eq!(scene.person.notices(), [Notice::TouchKey, Notice::Touched]);
}

#[test]
fn a_finger_the_sensor_does_not_know_three_times_is_replaced_by_the_pin() {
    let key = enrolled(PIN);
    key.edit(|state| (state.info.built_in_uv, state.unknown_fingers) = (true, 3));
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&[PIN]));
    scene.sign_in().unwrap();
    let unknown = scene.person.notices().iter().filter(|notice| **notice == Notice::FingerprintNotRecognised).count();
    assert_eq!(unknown, 2);
    assert!(scene.person.seen().contains(&Seen::Pin(PinQuestion::Current { tries_left: 8 })));
}

#[test]
fn ctrl_c_at_the_pin_prompt_touches_nothing() {
    struct Leaving(Scripted);
    impl crate::prompt::Prompter for Leaving {
        fn tell(&self, notice: &Notice) {
            self.0.tell(notice);
        }
        fn ask_pin(&self, _: PinQuestion) -> Result<zeroize::Zeroizing<String>, PromptError> {
            Err(PromptError::Interrupted)
        }
        fn ask_text(&self, _: crate::prompt::TextQuestion) -> Result<zeroize::Zeroizing<String>, PromptError> {
            Err(PromptError::Interrupted)
        }
        fn confirm(&self, _: Confirmation) -> Result<bool, PromptError> {
            Err(PromptError::Interrupted)
        }
        fn choose(&self, _: crate::prompt::Choice, _: &[String]) -> Result<usize, PromptError> {
            Err(PromptError::Interrupted)
        }
    }
    let key = enrolled(PIN);
    let bus: Arc<dyn Discovery> = FakeBus::with(&[("usb1", &key)]);
    let person = Leaving(Scripted::default());
    let mut ceremony = Ceremony::new(bus, &person, &Interrupt::default(), QUICK);
    let outcome =
        ceremony.sign_in(&issuer(), &Remembered::default(), login_challenge(RP, "s"), || panic!("not needed"));
    assert_eq!(Failure::from(error(outcome)).category.exit_code(), 130);
    assert_eq!(key.edit(|state| state.signed.len()), 0);
}

#[test]
fn a_key_that_cannot_verify_its_user_will_not_do() {
    let key = FakeKey::without_pin();
    key.edit(|state| state.info.pin = PinState::Unsupported);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::default());
    assert!(matches!(error(scene.register(&registration_challenge(&[]))), CeremonyError::NoKey(_)));
    assert!(scene.person.was_told(&Notice::WrongKey(crate::prompt::WrongKey::NotCapable)));
}
