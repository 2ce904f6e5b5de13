//! Terraform starts a helper for every provider at once.

use std::{process::Stdio, thread};

use vouch_scenarios::{
    World,
    guide::{self, DEVELOPMENT, HUB, access_role},
};

#[test]
fn fifty_parallel_helpers_cause_one_chain() {
    let world = World::start_with(|manifest| manifest.govern(HUB, &[DEVELOPMENT]));
    world.cloud.prepare(&guide::hub_and_spokes(&[DEVELOPMENT]));
    let (alice, key) = world.signed_in("alice");
    let _ = key.touches();
    // Slow enough that all fifty ask before the first answer is there.
    world.cloud.standin.turn(&serde_json::json!({"delay_ms": {"AssumeRole": 300}}));

    let arguments = ["credential", "aws", "--role", &access_role(DEVELOPMENT)];
    let helpers: Vec<_> = (0..50)
        .map(|_| {
            let mut command = alice.vouch_command(&arguments);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let answers: Vec<_> = thread::scope(|scope| {
        let waiting: Vec<_> =
            helpers.into_iter().map(|child| scope.spawn(|| child.wait_with_output().unwrap())).collect();
        waiting.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    for answer in &answers {
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        assert_eq!(answer.stdout, answers[0].stdout, "everybody gets the same credentials");
    }
    assert_eq!(world.cloud.standin.calls_of("AssumeRoleWithWebIdentity").len(), 1);
    assert_eq!(world.cloud.standin.calls_of("AssumeRole").len(), 1);
    assert_eq!(key.touches(), 0, "nobody was asked for a tap");
}
