//! A key that is missing, forbidden, foreign, or pulled out: each has its own sentence.

use vouch_scenarios::{World, developer::unlock, virtual_key::KeyOptions};

#[test]
fn a_helper_without_a_terminal_fails_at_once() {
    let world = World::start();
    let (alice, key) = world.signed_in("alice");
    let _ = key.touches();
    let _ = alice.vouch(&["login", "--force"]).failed(7, "terminal");
    assert_eq!(key.touches(), 0);
}

#[test]
fn a_key_that_may_not_be_opened_is_told_from_one_that_is_missing() {
    let world = World::start();
    let key = world.key("key");
    let mut alice = world.developer("alice");
    alice.insert(&key);
    alice.enroll(&world.issuer.invite("alice@example.com"));

    alice.set("VFIDO_DENY", "1");
    let denied = alice.vouch_at_terminal(&["login"]).finish();
    let denied = denied.failed(3, "permission");
    assert!(denied.text.contains("udev"), "what to do is missing: {denied}");
}

#[test]
fn a_foreign_key_is_told_from_ones_own() {
    let world = World::start();
    let (mut alice, _own) = world.signed_in("alice");
    let (_bob, foreign) = world.signed_in("bob");
    let blank = world.key("blank");

    alice.pull_out_keys();
    alice.insert(&blank);
    let mut login = alice.vouch_at_terminal(&["login", "--force"]);
    login.expect("not enrolled");
    drop(login);

    // Usernameless: bob's key signs bob in, on whichever machine it is plugged in. It says so.
    alice.pull_out_keys();
    alice.insert(&foreign);
    let mut login = alice.vouch_at_terminal(&["login", "--force"]);
    unlock(&mut login);
    login.expect("bob@example.com");
}

#[test]
fn a_key_pulled_out_while_it_blinks_is_noticed() {
    let world = World::start();
    let (alice, mut key) = world.signed_in("alice");
    key.pull_out();
    key.behave(KeyOptions { manual_touch: true, ..KeyOptions::default() });
    key.insert();

    let mut login = alice.vouch_at_terminal(&["login", "--force"]);
    unlock(&mut login);
    key.wait_for_blinking();
    key.pull_out();
    let _ = login.finish().failed(3, "unplugged");
}
