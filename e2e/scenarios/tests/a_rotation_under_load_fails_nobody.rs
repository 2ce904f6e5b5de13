//! Two rotations in a day that passes in seconds, against a verifier that keeps the key set as long as it may and asks
//! for nothing in between.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

use serde_json::json;
use vouch_scenarios::{
    World,
    clock::Clock,
    guide::{self, HUB, developer_role},
    wait::{PATIENCE, until},
    world::Prepared,
};

const STEP_MINUTES: i64 = 5;
const HOURS: i64 = 6;

#[test]
fn a_rotation_under_load_fails_nobody() {
    let clock = Clock::new();
    let world = World::start_prepared(Prepared::at(&clock), |manifest| {
        manifest.issuer["spec"]["session"] = json!({"lifetime": "1h"});
        manifest.issuer["spec"]["signingKeys"] = json!({
            "rotationPeriod": "2h", "publishLead": "15m", "retainRetired": "65m", "jwksMaxAge": "14m",
        });
    });
    world.cloud.standin.turn(&json!({"jwks": {"honour_max_age": true, "refetch_on_unknown_kid": false}}));
    world.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = world.signed_in("alice");

    for step in 1..=HOURS * 60 / STEP_MINUTES {
        let minutes = step * STEP_MINUTES;
        clock.set_minutes(minutes);
        world.cloud.standin.turn(&json!({"clock_offset_seconds": minutes * 60}));
        if minutes % 50 == 0 {
            alice.login_again();
        }
        // A duration nobody asked for before is a credential nobody has cached.
        let duration = |n: i64| (900 + step * 4 + n).to_string();
        let mut load: Vec<_> = (0..4)
            .map(|n| {
                let arguments = ["credential", "aws", "--role", &developer_role(HUB), "--duration", &duration(n)];
                let mut command: Command = alice.vouch_command(&arguments);
                command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for child in load.drain(..) {
            let answer = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&answer.stderr);
            assert!(answer.status.success(), "{minutes} minutes after the start: {said}");
        }
    }

    let signers = || -> BTreeSet<String> {
        world.issuer.audit().iter().filter_map(|line| line["kid"].as_str().map(str::to_owned)).collect()
    };
    until("three keys to have signed: two rotations", PATIENCE, || (signers().len() >= 3).then_some(()));
}
