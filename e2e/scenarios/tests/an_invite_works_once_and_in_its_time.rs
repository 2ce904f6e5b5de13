//! An invite is a bearer secret: it ends when it is redeemed, replaced, or late.

use vouch_scenarios::{World, developer::unlock, issuer::Invite};

/// Types a code that nobody is invited with as often as it is asked for.
fn insist_on(world: &World, name: &str, invite: &Invite) -> vouch_scenarios::terminal::Finished {
    let key = world.key(name);
    let mut person = world.developer(name);
    person.insert(&key);
    let mut terminal = person.start_enrolling(invite);
    for _ in 0..2 {
        terminal.expect("Once more:");
        terminal.expect("Invite code: ");
        terminal.type_line(&invite.code);
    }
    let finished = terminal.finish();
    assert_eq!(key.touches(), 0, "the key was not asked");
    finished
}

fn enroll_with(world: &World, name: &str, invite: &Invite) -> vouch_scenarios::terminal::Finished {
    let key = world.key(name);
    let mut person = world.developer(name);
    person.insert(&key);
    let terminal = person.start_enrolling(invite);
    let finished = terminal.finish();
    assert_eq!(key.touches(), 0, "the key was not asked");
    finished
}

#[test]
fn an_invite_works_once() {
    let world = World::start();
    let invite = world.issuer.invite("alice@example.com");
    let key = world.key("first");
    let mut alice = world.developer("alice");
    alice.insert(&key);
    alice.enroll(&invite);

    let _ = enroll_with(&world, "mallory", &invite).failed(5, "used");
    let shown = world.issuer.admin(&["users", "show", "alice@example.com", "--output", "json"]).succeeded();
    assert_eq!(shown.json()["keys"].as_array().map(Vec::len), Some(1), "{shown}");
}

#[test]
fn an_invite_does_not_work_after_its_time() {
    let world = World::start();
    let late = world.issuer.admin_at("-1h", &["invite", "alice@example.com", "--expires", "5m", "--output", "json"]);
    let invite: Invite = serde_json::from_value(late.succeeded().json()).unwrap();
    let _ = enroll_with(&world, "alice", &invite).failed(5, "expired");
}

#[test]
fn a_guessed_or_replaced_code_does_not_work() {
    let world = World::start();
    let replaced = world.issuer.invite("alice@example.com");
    let invite = world.issuer.invite("alice@example.com");
    let guessed = Invite { email: String::new(), code: "AAAA-BBBB-CCCC".to_owned() };
    let _ = insist_on(&world, "mallory", &guessed).failed(5, "invite");
    let _ = insist_on(&world, "eve", &replaced).failed(5, "invite");

    let key = world.key("key");
    let mut alice = world.developer("alice");
    alice.insert(&key);
    let spelt_loosely = Invite { code: invite.code.to_lowercase().replace('-', " "), ..invite };
    let mut terminal = alice.start_enrolling(&spelt_loosely);
    unlock(&mut terminal);
    terminal.expect("Enrolled");
    let _ = terminal.finish().succeeded();
}
