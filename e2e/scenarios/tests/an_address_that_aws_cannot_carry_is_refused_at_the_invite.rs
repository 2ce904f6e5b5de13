//! What would fail in AWS months later is said on the first day.

use vouch_scenarios::World;

#[test]
fn an_address_that_aws_cannot_carry_is_refused_at_the_invite() {
    let world = World::start();
    let long = format!("{}@example.com", "a".repeat(60));
    for (address, reason) in
        [("o'brien@example.com", "'"), (long.as_str(), "64"), ("alice@elsewhere.org", "elsewhere.org")]
    {
        let refused = world.issuer.admin(&["invite", address]);
        assert_ne!(refused.code, Some(0), "{refused}");
        assert!(refused.stderr.contains(reason), "the reason is missing: {refused}");
        assert_eq!(refused.stdout, "", "no code was made");
    }
    let people = world.issuer.admin(&["users", "list", "--output", "json"]).succeeded();
    assert!(!people.stdout.contains('@'), "nothing was written: {people}");
}
