//! Power failures during enrollment and login: a key is enrolled or it is not, and the next start works.

use std::{thread, time::Duration};

use vouch_scenarios::{World, developer::unlock};

const ROUNDS: u64 = 6;

#[test]
fn killing_the_issuer_leaves_no_half_enrolled_key() {
    let mut world = World::start();
    for round in 0..ROUNDS {
        let name = format!("person{round}");
        let email = format!("{name}@example.com");
        let invite = world.issuer.invite(&email);
        let key = world.key(&name);
        let mut person = world.developer(&name);
        person.insert(&key);

        let mut terminal = person.start_enrolling(&invite);
        unlock(&mut terminal);
        // Each round strikes a little later.
        thread::sleep(Duration::from_millis(6 * round));
        world.issuer.kill();
        let told_enrolled = terminal.finish().status.success();
        world.restart_issuer();

        let shown = world.issuer.admin(&["users", "show", &email, "--output", "json"]).succeeded().json();
        let keys = shown["keys"].as_array().map_or(0, Vec::len);
        assert!(keys <= 1, "{shown:#}");
        assert!(keys == 1 || !told_enrolled, "who was told so is enrolled");
        if keys == 0 {
            let again = if shown["invite"]["used_at"].is_null() { invite } else { world.issuer.invite(&email) };
            person.enroll(&again);
        }
        person.login();
        assert_eq!(person.vouch(&["status", "--output", "json"]).succeeded().json()["session"]["email"], email);
    }
}
