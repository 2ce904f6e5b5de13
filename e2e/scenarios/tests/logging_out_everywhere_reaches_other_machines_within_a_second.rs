//! One person, two machines, one logout.

use std::time::Duration;

use vouch_scenarios::{
    World,
    guide::{self, HUB, developer_role},
    wait::until,
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
    for machine in [&desktop, &laptop] {
        let _ = machine.vouch(&["credential", "aws", "--role", &role]).succeeded();
    }

    let _ = desktop.vouch(&["logout", "--everywhere"]).succeeded();
    until("the laptop's agent to notice", Duration::from_secs(1), || {
        (laptop.vouch(&["credential", "aws", "--role", &role]).code != Some(0)).then_some(())
    });
    for machine in [&desktop, &laptop] {
        let _ = machine.vouch(&["credential", "aws", "--role", &role]).failed(2, "Run: vouch login");
    }
    laptop.login();
    let _ = laptop.vouch(&["credential", "aws", "--role", &role]).succeeded();
    let _ = desktop.vouch(&["credential", "aws", "--role", &role]).failed(2, "Run: vouch login");
}
