//! Disabling takes effect on every session at once, and nobody gets in again until enabled.

use std::time::{Duration, Instant};

use vouch_scenarios::{
    World,
    developer::unlock,
    guide::{self, HUB, developer_role},
    wait::{PATIENCE, assert_promptly, until},
};

#[test]
fn a_disabled_person_is_out_within_a_second() {
    let world = World::start();
    world.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = world.signed_in("alice");
    let role = developer_role(HUB);
    let credential = || alice.vouch(&["credential", "aws", "--role", &role]);
    let _ = credential().succeeded();

    assert_promptly(Duration::from_secs(1), || {
        let _ = world.issuer.admin(&["disable", "alice@example.com"]).succeeded();
        let disabled = Instant::now();
        until("the agent to notice", PATIENCE, || (credential().code != Some(0)).then_some(()));
        let took = disabled.elapsed();
        let refused = credential().failed(2, "you are not signed in");
        assert_eq!(refused.stdout, "", "cached credentials are gone with the session");

        let mut again = alice.vouch_at_terminal(&["login"]);
        unlock(&mut again);
        let _ = again.finish().failed(5, "disabled");

        let _ = world.issuer.admin(&["enable", "alice@example.com"]).succeeded();
        alice.login();
        let _ = credential().succeeded();
        took
    });
}
