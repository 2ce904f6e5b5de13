//! A key that was removed still signs. The person is told which key it was, and may go on with another one.

use vouch_scenarios::{World, developer::unlock};

/// The name of every virtual key.
const NAME: &str = "YubiKey";

#[test]
fn a_key_the_issuer_does_not_know_makes_room_for_another() {
    let world = World::start();
    let (mut alice, mut first) = world.signed_in("alice");
    let mut spare = world.key("spare");
    alice.add_key(&mut spare, "Spare");
    spare.pull_out();
    let shown = world.issuer.admin(&["users", "show", "alice@example.com", "--output", "json"]).succeeded().json();
    let removed = shown["keys"][0]["id"].as_str().unwrap();
    let _ = world.issuer.admin(&["remove-key", "alice@example.com", removed]).succeeded();

    let before = world.issuer.records();
    let mut login = alice.vouch_at_terminal(&["login", "--force"]);
    unlock(&mut login);
    let said = login.expect("is not enrolled at vouch.example.com (any more). Use another one, or press Ctrl-C.");
    assert!(said.contains(&format!("The key {NAME}")), "{said}");
    login.expect("Insert another security key");
    assert_eq!(world.issuer.records(), before, "nothing is written");

    spare.insert();
    unlock(&mut login);
    login.expect("Signed in as alice@example.com");
    let _ = login.finish().succeeded();

    // Where there is no other key, Ctrl-C ends it, and the key is free.
    spare.pull_out();
    first.pull_out();
    first.insert();
    let mut login = alice.vouch_at_terminal(&["login", "--force"]);
    unlock(&mut login);
    login.expect("Insert another security key");
    login.interrupt();
    assert_eq!(login.finish().status.code(), Some(130));
}
