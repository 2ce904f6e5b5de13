//! Ungoverned accounts: the person names the hub, once, and the profile remembers it.

use vouch_scenarios::{
    World,
    guide::{self, DEVELOPMENT, HUB, access_role},
};

#[test]
fn a_hub_named_by_hand_works_where_no_federation_governs() {
    let world = World::start();
    world.cloud.prepare(&guide::hub_and_spokes(&[DEVELOPMENT]));
    let (alice, _key) = world.signed_in("alice");
    let (hub, spoke) = (access_role(HUB), access_role(DEVELOPMENT));

    let _ = alice.vouch(&["setup", "aws", "--role", &spoke, "--via", &hub, "--profile", "vouch-dev"]).succeeded();
    let identity = alice.aws(&["sts", "get-caller-identity", "--profile", "vouch-dev"]).succeeded().json();
    assert_eq!(identity["Account"], DEVELOPMENT);

    let direct = alice.vouch(&["credential", "aws", "--role", &spoke]);
    let direct = direct.failed(5, DEVELOPMENT);
    assert!(direct.stderr.contains("provider"), "the account has none: {direct}");
    let too_long = alice.vouch(&["credential", "aws", "--role", &spoke, "--via", &hub, "--duration", "7200"]);
    assert_ne!(too_long.code, Some(0), "{too_long}");
    assert!(too_long.stderr.contains("3600") || too_long.stderr.contains("1 hour"), "{too_long}");
}
