//! The session lives in the agent's memory: a killed agent is a signed-out person, never a broken one.

use vouch_scenarios::{
    World,
    guide::{self, HUB, developer_role},
    process::kill,
};

const ROUNDS: usize = 5;

#[test]
fn killing_the_agent_costs_one_tap_and_nothing_else() {
    let world = World::start();
    world.cloud.prepare(&guide::direct_role(HUB));
    let (alice, key) = world.signed_in("alice");
    let role = developer_role(HUB);
    let _ = key.touches();

    for round in 0..ROUNDS {
        let agent = alice.agent().expect("an agent runs");
        let mut helper = alice.vouch_command(&["credential", "aws", "--role", &role]);
        let mut asking =
            helper.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        // Each round catches the agent a little later in its work.
        std::thread::sleep(std::time::Duration::from_millis(7 * round as u64));
        kill(agent);
        let _ = asking.wait().unwrap();

        let _ = alice.vouch(&["credential", "aws", "--role", &role]).failed(2, "Run: vouch login");
        alice.login();
        let _ = alice.vouch(&["credential", "aws", "--role", &role]).succeeded();
    }
    assert_eq!(key.touches(), ROUNDS, "one tap each");
}
