//! One person, two machines, one logout.

use std::time::{Duration, Instant};

use vouch_scenarios::{
    World,
    developer::Developer,
    guide::{self, HUB, developer_role},
    wait::{PATIENCE, assert_promptly, until},
};

#[test]
fn logging_out_everywhere_reaches_other_machines_within_a_second() {
    let world = World::start();
    world.cloud.prepare(&guide::direct_role(HUB));
    let (desktop, key) = world.signed_in("alice");
    let mut laptop = world.developer("alice-on-the-road");
    laptop.insert(&key);
    laptop.login_for_the_first_time();
    let role = developer_role(HUB);
    let credential = |machine: &Developer| machine.vouch(&["credential", "aws", "--role", &role]);
    for machine in [&desktop, &laptop] {
        let _ = credential(machine).succeeded();
    }

    assert_promptly(Duration::from_secs(1), || {
        let _ = desktop.vouch(&["logout", "--everywhere"]).succeeded();
        let told = Instant::now();
        until("the laptop's agent to notice", PATIENCE, || (credential(&laptop).code != Some(0)).then_some(()));
        let took = told.elapsed();
        for machine in [&desktop, &laptop] {
            let _ = credential(machine).failed(2, "Run: vouch login");
        }
        laptop.login();
        let _ = credential(&laptop).succeeded();
        let _ = credential(&desktop).failed(2, "Run: vouch login");
        desktop.login();
        took
    });
}
