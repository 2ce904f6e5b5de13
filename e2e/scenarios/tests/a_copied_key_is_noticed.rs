//! A signature counter that goes back means that two keys share one secret.

use std::fs;

use vouch_scenarios::{
    World,
    developer::unlock,
    wait::{PATIENCE, until},
};

const COPIED: &str = "vouch: The signature counter of the security key did not rise; the assertion is old, or the key was \
    copied. Try again. If it happens again, have this key removed and report it.";

#[test]
fn a_copied_key_is_noticed() {
    let world = World::start();
    let (alice, mut key) = world.signed_in("alice");
    let copy = fs::read(key.flash()).unwrap();
    for _ in 0..2 {
        alice.login_again();
    }

    key.pull_out();
    fs::write(key.flash(), copy).unwrap();
    key.insert();
    let mut login = alice.vouch_at_terminal(&["login", "--force"]);
    unlock(&mut login);
    let refused = login.finish();
    assert_eq!(refused.text.lines().last(), Some(COPIED), "{refused}");
    assert_eq!(refused.status.code(), Some(5), "the issuer said no: {refused}");
    let noticed = || world.issuer.audit().iter().any(|line| line.to_string().contains("counter"));
    until("an audit line", PATIENCE, || noticed().then_some(()));
}
