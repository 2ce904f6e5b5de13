//! Keys get lost: a spare is added with a tap of the first, and the first is removed.

use vouch_scenarios::{World, developer::unlock};

#[test]
fn a_second_key_signs_in_and_the_first_can_be_removed() {
    let world = World::start();
    let (mut alice, mut first) = world.signed_in("alice");
    let mut spare = world.key("spare");
    alice.add_key(&mut spare, "Spare");

    first.pull_out();
    alice.login_again();
    let keys = alice.vouch(&["keys", "list", "--output", "json"]).succeeded().json();
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.iter().map(|key| key["current"] == true).collect::<Vec<_>>(), [false, true], "{keys:#?}");
    let lost = keys[0]["id"].as_str().unwrap();
    let _ = alice.vouch(&["keys", "remove", lost]).failed(7, "no terminal");
    let mut remove = alice.vouch_at_terminal(&["keys", "remove", lost]);
    unlock(&mut remove);
    remove.expect("Delete it? [y/N] ");
    remove.type_line("n");
    let _ = remove.finish().succeeded();
    let last = alice.vouch(&["keys", "remove", "Spare"]);
    let _ = last.failed(5, "--allow-last");

    spare.pull_out();
    first.insert();
    let mut login = alice.vouch_at_terminal(&["login", "--force"]);
    unlock(&mut login);
    login.expect("not enrolled");
}

#[test]
fn a_removed_key_that_is_plugged_in_keeps_no_credential_when_its_owner_wants_that() {
    let world = World::start();
    let (alice, _key) = world.signed_in("alice");
    let keys = alice.vouch(&["keys", "list", "--output", "json"]).succeeded().json();
    let id = keys["keys"][0]["id"].as_str().unwrap().to_owned();

    let mut remove = alice.vouch_at_terminal(&["keys", "remove", &id, "--allow-last"]);
    unlock(&mut remove);
    remove.expect("Delete it? [y/N] ");
    remove.type_line("y");
    unlock(&mut remove);
    remove.expect("Its credential is deleted from the security key as well.");
    let _ = remove.finish().succeeded();

    // Whether or not the agent has heard yet that the session ended with the key.
    let mut login = alice.vouch_at_terminal(&["login", "--force"]);
    unlock(&mut login);
    login.expect("That key is not enrolled for you here.");
}
