//! Ctrl-C while the key blinks.

use vouch_scenarios::{World, developer::unlock, virtual_key::KeyOptions};

#[test]
fn an_interrupted_login_leaves_the_key_free() {
    let world = World::start();
    let mut key = world.key("key");
    let mut alice = world.developer("alice");
    alice.insert(&key);
    alice.enroll(&world.issuer.invite("alice@example.com"));
    key.pull_out();
    key.behave(KeyOptions { manual_touch: true, further: vec!["--busy".to_owned()], ..KeyOptions::default() });
    key.insert();

    let mut login = alice.vouch_at_terminal(&["login"]);
    unlock(&mut login);
    key.wait_for_blinking();
    login.interrupt();
    let interrupted = login.finish();
    assert_eq!(interrupted.status.code(), Some(130), "{interrupted}");

    let mut login = alice.vouch_at_terminal(&["login"]);
    unlock(&mut login);
    key.wait_for_blinking();
    key.touch();
    login.expect("Signed in as alice@example.com");
    let _ = login.finish().succeeded();
}
