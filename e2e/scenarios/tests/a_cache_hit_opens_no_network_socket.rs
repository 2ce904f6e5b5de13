//! The hot path: arguments, a unix socket, JSON. strace is the witness.

use std::{fs, process::Stdio};

use vouch_scenarios::{
    World,
    guide::{self, HUB, developer_role},
};

#[test]
fn a_cache_hit_opens_no_network_socket() {
    let world = World::start();
    world.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = world.signed_in("alice");
    let role = developer_role(HUB);
    let arguments = ["credential", "aws", "--role", &role];
    let first = alice.vouch(&arguments).succeeded();
    world.cloud.standin.forget_calls();

    let agent = alice.agent().expect("an agent runs");
    let agent_trace = world.folder().join("agent.trace");
    let mut watcher = alice
        .command("strace")
        .args(["-f", "-qq", "-e", "trace=network", "-o"])
        .arg(&agent_trace)
        .args(["-p", &agent.to_string()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let traced = || fs::read_to_string(format!("/proc/{agent}/status")).unwrap_or_default();
    vouch_scenarios::wait::until("strace to hold the agent", vouch_scenarios::wait::PATIENCE, || {
        let status = traced();
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
        (tracer.trim() != "0").then_some(())
    });

    let helper_trace = world.folder().join("helper.trace");
    let vouch = alice.vouch_command(&arguments);
    let hit = alice
        .command("strace")
        .args(["-f", "-qq", "-e", "trace=network,clone,clone3,execve", "-o"])
        .arg(&helper_trace)
        .arg(vouch.get_program())
        .args(vouch.get_args())
        .output()
        .unwrap();
    assert!(hit.status.success(), "{}", String::from_utf8_lossy(&hit.stderr));
    assert_eq!(hit.stdout, first.stdout.as_bytes(), "it was a hit");
    watcher.kill().unwrap();
    watcher.wait().unwrap();

    let helper = fs::read_to_string(helper_trace).unwrap();
    assert!(helper.contains("AF_UNIX"), "it asked the agent:\n{helper}");
    assert!(!helper.contains("clone"), "it started no thread and no process:\n{helper}");
    let both = helper + &fs::read_to_string(agent_trace).unwrap();
    assert!(!both.contains("AF_INET"), "{both}");
    assert!(world.cloud.standin.calls().is_empty());
}
