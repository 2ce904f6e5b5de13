//! PIN errors, in the order in which a person meets them.

use vouch_scenarios::{World, developer::PIN};

#[test]
fn a_wrong_pin_costs_a_try_and_says_so() {
    let world = World::start();
    let mut key = world.key("key");
    let mut alice = world.developer("alice");
    alice.insert(&key);
    alice.enroll(&world.issuer.invite("alice@example.com"));

    let mut login = alice.vouch_at_terminal(&["login"]);
    login.expect("PIN (8 tries left): ");
    login.type_line("000000");
    login.expect("Wrong PIN. 7 tries left");
    login.expect("PIN (7 tries left): ");
    login.type_line("111111");
    login.expect("PIN (6 tries left): ");
    login.type_line(PIN);
    login.expect("Signed in as alice@example.com");
    let _ = login.finish().succeeded();

    let mut blocked = alice.vouch_at_terminal(&["login", "--force"]);
    for wrong in ["000000", "111111", "222222"] {
        blocked.expect(" tries left): ");
        blocked.type_line(wrong);
    }
    blocked.expect("remove the key and insert it again");
    key.pull_out();
    key.insert();
    blocked.expect("PIN (5 tries left): ");
    blocked.type_line(PIN);
    blocked.expect("Signed in as alice@example.com");
    let finished = blocked.finish().succeeded();
    for pin in ["222222", PIN] {
        assert!(!finished.text.contains(pin), "a PIN is never shown: {finished}");
    }
}
