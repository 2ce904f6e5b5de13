//! The main job: enroll, one tap, and the real `aws` in a hub and two spokes.

use vouch_scenarios::{
    World,
    guide::{self, DEVELOPMENT, HUB, PRODUCTION, access_role},
};

#[test]
fn one_tap_gives_aws_credentials_in_two_accounts() {
    let world = World::start_with(|manifest| manifest.govern(HUB, &[DEVELOPMENT, PRODUCTION]));
    world.cloud.prepare(&guide::hub_and_spokes(&[DEVELOPMENT, PRODUCTION]));
    let (alice, key) = world.signed_in("alice");
    alice.set_up_profile("vouch-dev", &access_role(DEVELOPMENT));
    alice.set_up_profile("vouch-prod", &access_role(PRODUCTION));

    let touches = key.touches();
    for (profile, account) in [("vouch-dev", DEVELOPMENT), ("vouch-prod", PRODUCTION)] {
        let identity = alice.aws(&["sts", "get-caller-identity", "--profile", profile]).succeeded().json();
        assert_eq!(identity["Account"], account);
        let arn = format!("arn:aws:sts::{account}:assumed-role/VouchAccess/alice@example.com");
        assert_eq!(identity["Arn"], arn.as_str());
    }
    assert_eq!(touches, 2, "one touch to enroll, one to sign in");
    assert_eq!(key.touches(), 0, "and none for AWS");

    let chained = world.cloud.standin.calls_of("AssumeRole");
    assert_eq!(chained.len(), 2);
    for call in chained {
        assert_eq!(call["requestParameters"]["sourceIdentity"], "alice@example.com", "{call:#}");
    }
}
