use std::time::Instant;

use super::*;
use crate::{
    error::{Category, Failure},
    prompt::{Choice, Notice, Wanted, scripted::Seen},
    security_key::{
        KeyError,
        fake::{FakeKey, Touch},
    },
};

fn enrolled(name: &str) -> Arc<FakeKey> {
    FakeKey::with_pin(PIN).holds(RP, name.as_bytes(), "alice@example.com")
}

#[test]
fn a_key_that_is_inserted_later_is_waited_for_and_named() {
    let key = enrolled("id");
    let bus = FakeBus::with(&[]);
    let (ports, same) = (Arc::clone(&bus), Arc::clone(&key));
    let person = Scripted::pins(&[PIN]).reacting(move |notice| {
        if matches!(notice, Notice::InsertKey(_)) {
            ports.insert("usb1", &same);
        }
    });
    let scene = Scene::new(&bus, person);
    scene.sign_in().unwrap();
    let told = scene.person.notices();
    assert_eq!(told[0], Notice::InsertKey(Wanted::Enrolled));
    assert_eq!(told[1], Notice::KeyFound { name: "Key at usb1, firmware 5.7.1".to_owned() });
}

#[test]
fn no_key_at_all_ends_with_the_exit_code_for_it() {
    let scene = Scene::new(&FakeBus::with(&[]), Scripted::default());
    let failure = Failure::from(error(scene.sign_in()));
    assert_eq!(failure.category, Category::NoKey);
    assert!(failure.message.contains("no security key was inserted"), "{failure}");
}

#[test]
fn of_several_keys_the_touched_one_is_used_and_the_others_stop_blinking() {
    let (left, right) = (enrolled("left"), enrolled("right"));
    left.edit(|state| state.touch = Touch::Never);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &left), ("usb2", &right)]), Scripted::pins(&[PIN]));
    let signed = scene.sign_in().unwrap();
    assert_eq!(signed.assertion.raw_id, b"right");
    assert!(!left.is_blinking());
    assert_eq!(scene.person.notices()[0], Notice::SeveralKeys { count: 2 });
    assert_eq!(left.edit(|state| state.calls.clone()), ["info", "select"]);
}

#[test]
fn several_keys_nobody_touches_are_given_up() {
    let (left, right) = (enrolled("left"), enrolled("right"));
    for key in [&left, &right] {
        key.edit(|state| state.touch = Touch::TooLate);
    }
    let scene = Scene::new(&FakeBus::with(&[("usb1", &left), ("usb2", &right)]), Scripted::default());
    assert!(matches!(error(scene.sign_in()), CeremonyError::Key(KeyError::NotTouched)));
}

#[test]
fn keys_that_cannot_blink_on_request_are_chosen_by_name() {
    let (left, right) = (enrolled("left"), enrolled("right"));
    right.edit(|state| state.info.selection = false);
    let person = Scripted::pins(&[PIN]).choosing(&[1]);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &left), ("usb2", &right)]), person);
    assert_eq!(scene.sign_in().unwrap().assertion.raw_id, b"right");
    assert!(matches!(&scene.person.seen()[0], Seen::Choose(Choice::Key, names) if names.len() == 2));
}

#[test]
fn a_missing_permission_is_not_no_key() {
    let bus = FakeBus::with(&[("usb1", &enrolled("id"))]);
    *bus.refusal.lock().unwrap() = Some(KeyError::NoPermission { node: "/dev/hidraw3".into() });
    let scene = Scene::new(&bus, Scripted::default());
    let failure = Failure::from(error(scene.sign_in()));
    assert!(failure.message.contains("/dev/hidraw3"), "{failure}");
    assert!(failure.hint.unwrap().contains("/etc/udev/rules.d/"));
}

#[test]
fn a_permission_that_comes_a_moment_after_the_key_is_waited_for() {
    let key = enrolled("id");
    let bus = FakeBus::with(&[("usb1", &key)]);
    *bus.refusal.lock().unwrap() = Some(KeyError::NoPermission { node: "/dev/hidraw3".into() });
    let mut scene = Scene::new(&bus, Scripted::pins(&[PIN]));
    scene.timing.settle = Duration::from_secs(20);
    let ports = Arc::clone(&bus);
    let udev = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        *ports.refusal.lock().unwrap() = None;
    });
    scene.sign_in().unwrap();
    udev.join().unwrap();
}

#[test]
fn a_key_only_the_kernel_sees_is_explained() {
    let bus = FakeBus::with(&[]);
    *bus.hidden.lock().unwrap() = Some(KeyError::NoDeviceNode { node: "/dev/hidraw0".into() });
    let scene = Scene::new(&bus, Scripted::default());
    assert!(matches!(error(scene.sign_in()), CeremonyError::Key(KeyError::NoDeviceNode { .. })));
}

#[test]
fn a_busy_key_is_tried_again_and_the_person_is_told_once() {
    let key = enrolled("id");
    key.edit(|state| state.fail_next.extend([KeyError::Busy, KeyError::Busy, KeyError::Busy]));
    let mut scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&[PIN]));
    scene.timing.busy = Duration::from_secs(20);
    scene.sign_in().unwrap();
    assert_eq!(scene.person.notices().iter().filter(|notice| **notice == Notice::Busy).count(), 1);
}

#[test]
fn a_key_that_stays_busy_is_given_up() {
    let key = enrolled("id");
    key.edit(|state| state.fail_next.extend(vec![KeyError::Busy; 10_000]));
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&[PIN]));
    let failure = Failure::from(error(scene.sign_in()));
    assert!(failure.message.contains("another program"), "{failure}");
}

#[test]
fn ctrl_c_during_the_touch_stops_the_key_and_ends_soon() {
    let key = enrolled("id");
    key.edit(|state| state.touch = Touch::Never);
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&[PIN]));
    let (signal, blinking) = (scene.interrupt.clone(), Arc::clone(&key));
    let hand = std::thread::spawn(move || {
        blinking.wait_until_blinking();
        assert!(!signal.raise(), "the ceremony holds a shield");
        Instant::now()
    });
    let failure = Failure::from(error(scene.sign_in()));
    let pressed = hand.join().unwrap();
    assert_eq!(failure.category.exit_code(), 130);
    assert!(pressed.elapsed() < Duration::from_secs(3), "{:?}", pressed.elapsed());
    assert!(!key.is_blinking());
    key.edit(|state| state.touch = Touch::Now);
    let again = Scene::new(&scene.bus, Scripted::pins(&[PIN]));
    again.sign_in().unwrap();
}

#[test]
fn ctrl_c_while_several_keys_blink_stops_them_all() {
    let (left, right) = (enrolled("left"), enrolled("right"));
    for key in [&left, &right] {
        key.edit(|state| state.touch = Touch::Never);
    }
    let scene = Scene::new(&FakeBus::with(&[("usb1", &left), ("usb2", &right)]), Scripted::default());
    let (signal, keys) = (scene.interrupt.clone(), [Arc::clone(&left), Arc::clone(&right)]);
    let hand = std::thread::spawn(move || {
        keys.iter().for_each(|key| key.wait_until_blinking());
        signal.raise()
    });
    assert!(matches!(error(scene.sign_in()), CeremonyError::Interrupted));
    assert!(!hand.join().unwrap());
    assert!(!left.is_blinking() && !right.is_blinking());
}

#[test]
fn ctrl_c_while_waiting_for_a_key_ends_at_once() {
    let mut scene = Scene::new(&FakeBus::with(&[]), Scripted::default());
    scene.timing.insert = Duration::from_secs(60);
    let signal = scene.interrupt.clone();
    scene.person = Scripted::default().reacting(move |_| {
        signal.raise();
    });
    let begin = Instant::now();
    assert!(matches!(error(scene.sign_in()), CeremonyError::Interrupted));
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_key_that_falls_silent_does_not_hang_the_program() {
    let key = enrolled("id");
    key.edit(|state| state.touch = Touch::Never);
    let mut scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), Scripted::pins(&[PIN]));
    scene.timing.touch = Duration::from_millis(50);
    assert!(matches!(error(scene.sign_in()), CeremonyError::Key(KeyError::NotResponding)));
    assert!(!key.is_blinking());
}

#[test]
fn a_key_that_is_pulled_out_during_the_touch_is_said_to_be_gone() {
    let key = enrolled("id");
    let same = Arc::clone(&key);
    let person = Scripted::pins(&[PIN]).reacting(move |notice| {
        if *notice == Notice::TouchKey {
            same.edit(|state| state.fail_next.push_back(KeyError::Unplugged));
        }
    });
    let scene = Scene::new(&FakeBus::with(&[("usb1", &key)]), person);
    let failure = Failure::from(error(scene.sign_in()));
    assert_eq!(failure.category, Category::NoKey);
    assert!(failure.message.contains("unplugged"), "{failure}");
}
