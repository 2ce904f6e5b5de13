//! Disabling takes effect on every session at once, and nobody gets in again until enabled.

use std::time::Duration;

use vouch_scenarios::{
    World,
    developer::unlock,
    guide::{self, HUB, developer_role},
    wait::until,
};

#[test]
fn a_disabled_person_is_out_within_a_second() {
    let world = World::start();
    world.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = world.signed_in("alice");
    let role = developer_role(HUB);
    let _ = alice.vouch(&["credential", "aws", "--role", &role]).succeeded();

    let _ = world.issuer.admin(&["disable", "alice@example.com"]).succeeded();
    until("the agent to notice", Duration::from_secs(1), || {
        (alice.vouch(&["credential", "aws", "--role", &role]).code != Some(0)).then_some(())
    });
    let refused = alice.vouch(&["credential", "aws", "--role", &role]).failed(2, "you are not signed in");
    assert_eq!(refused.stdout, "", "cached credentials are gone with the session");

    let mut again = alice.vouch_at_terminal(&["login"]);
    unlock(&mut again);
    let _ = again.finish().failed(5, "disabled");

    let _ = world.issuer.admin(&["enable", "alice@example.com"]).succeeded();
    alice.login();
    let _ = alice.vouch(&["credential", "aws", "--role", &role]).succeeded();
}
