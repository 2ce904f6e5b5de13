//! Laptops wake up with wrong clocks. What can be corrected is; what cannot is named.

use vouch_scenarios::{
    World, clock,
    guide::{self, DEVELOPMENT, HUB, access_role},
};

#[test]
fn a_machine_with_a_wrong_clock_works_or_says_so() {
    let world = World::start_with(|manifest| manifest.govern(HUB, &[DEVELOPMENT]));
    world.cloud.prepare(&guide::hub_and_spokes(&[DEVELOPMENT]));
    let key = world.key("key");
    let mut alice = world.developer("alice");
    for (variable, value) in clock::offset("+1230s") {
        alice.set(&variable, &value);
    }
    alice.insert(&key);
    alice.enroll(&world.issuer.invite("alice@example.com"));
    alice.login();
    let _ = alice.vouch(&["credential", "aws", "--role", &access_role(DEVELOPMENT)]).succeeded();

    let doctor = alice.vouch(&["doctor", "issuer"]);
    assert_eq!(doctor.code, Some(1), "{doctor}");
    assert!(doctor.stdout.contains("this machine's clock is 20 min ahead"), "{doctor}");
}
