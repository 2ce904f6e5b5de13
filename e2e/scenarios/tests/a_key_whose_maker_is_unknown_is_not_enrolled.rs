//! Policy YubiKey: the key must prove its maker, and nothing stays on a key that cannot.

use vouch_scenarios::{World, developer::unlock, virtual_key::KeyOptions};

#[test]
fn a_key_whose_maker_is_unknown_is_not_enrolled() {
    let world = World::start();
    let invite = world.issuer.invite("alice@example.com");
    let unattested = world.key_with("unattested", KeyOptions { unattested: true, ..KeyOptions::default() });
    let mut alice = world.developer("alice");
    alice.insert(&unattested);

    let mut terminal = alice.start_enrolling(&invite);
    unlock(&mut terminal);
    let refused = terminal.finish().failed(5, "does not prove who made it");
    assert!(refused.text.contains("deleted from the key"), "nothing stays behind: {refused}");

    alice.pull_out_keys();
    let key = world.key("proper");
    alice.insert(&key);
    alice.enroll(&invite);
    alice.login();
}
