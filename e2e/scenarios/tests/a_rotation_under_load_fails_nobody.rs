//! Several rotations in half a day that passes in a minute, under steady load of several people, against a verifier that
//! keeps the key set for the longest time that an issuer may allow, and asks for nothing in between.
//!
//! AWS is that verifier for the tokens it gets, which ES256 signs. For the key of RS256 beside it, which no token for AWS
//! is signed with, the test is the verifier: whatever key signs must be in the copy it keeps.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Child, Stdio},
};

use serde_json::{Value, json};
use vouch_scenarios::{
    World,
    clock::Clock,
    developer::Developer,
    guide::{self, HUB, developer_role},
    manifest::JWKS_URL,
    wait::{PATIENCE, until},
    world::Prepared,
};

const STEP_MINUTES: i64 = 10;
const STEPS: i64 = 60;
/// Helpers of each person at every step.
const HELPERS: i64 = 3;
const PEOPLE: i64 = 2;
/// The longest `max-age` that an issuer may send.
const CACHE_MINUTES: i64 = 60;

/// A verifier that reads the key set once an hour.
struct Verifier {
    kept: BTreeSet<String>,
    read_at: i64,
}

impl Verifier {
    fn knows(&mut self, world: &World, minutes: i64) -> &BTreeSet<String> {
        if self.kept.is_empty() || minutes - self.read_at >= CACHE_MINUTES {
            let answer = world.http().get(JWKS_URL).send().unwrap();
            assert_eq!(answer.headers()["cache-control"].to_str().unwrap().split("max-age=").nth(1), Some("3600"));
            let keys: Value = answer.json().unwrap();
            self.kept =
                keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
            self.read_at = minutes;
        }
        &self.kept
    }
}

/// The key that signs, for each algorithm.
fn active_keys(world: &World) -> BTreeMap<String, String> {
    let shown = world.issuer.admin(&["keys", "show", "--output", "json"]).succeeded().json();
    let keys = shown.as_array().or_else(|| shown["keys"].as_array()).cloned().unwrap_or_default();
    let active = keys.iter().filter(|key| key["state"] == "active");
    let text = |key: &Value, name: &str| key[name].as_str().unwrap_or_else(|| panic!("{key:#}")).to_owned();
    active.map(|key| (text(key, "algorithm"), text(key, "kid"))).collect()
}

/// One helper. A duration nobody asked for before is a credential nobody has cached.
fn helper(person: &Developer, step: i64, number: i64) -> Child {
    let duration = (900 + step * HELPERS + number).to_string();
    let mut command =
        person.vouch_command(&["credential", "aws", "--role", &developer_role(HUB), "--duration", &duration]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_rotation_under_load_fails_nobody() {
    let clock = Clock::new();
    let world = World::start_prepared(Prepared::at(&clock), |manifest| {
        manifest.issuer["spec"]["session"] = json!({"lifetime": "1h"});
        manifest.issuer["spec"]["signingKeys"] = json!({
            "algorithms": ["ES256", "RS256"], "jwksMaxAge": "1h",
            "rotationPeriod": "130m", "publishLead": "65m", "retainRetired": "65m",
        });
    });
    world.cloud.standin.turn(&json!({"jwks": {"honour_max_age": true, "refetch_on_unknown_kid": false}}));
    world.cloud.prepare(&guide::direct_role(HUB));
    let (people, _keys): (Vec<_>, Vec<_>) = ["alice", "bob"].map(|name| world.signed_in(name)).into_iter().unzip();

    let mut verifier = Verifier { kept: BTreeSet::new(), read_at: 0 };
    let mut signed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for step in 1..=STEPS {
        let minutes = step * STEP_MINUTES;
        clock.set_minutes(minutes);
        world.cloud.standin.turn(&json!({"clock_offset_seconds": minutes * 60}));
        if minutes % 50 == 0 {
            people.iter().for_each(|person| drop(person.login_again()));
        }
        let load = people.iter().flat_map(|person| (0..HELPERS).map(move |number| helper(person, step, number)));
        for child in load.collect::<Vec<_>>() {
            let answer = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&answer.stderr);
            assert!(answer.status.success(), "{minutes} minutes after the start: {said}");
        }
        let known = verifier.knows(&world, minutes);
        for (algorithm, kid) in active_keys(&world) {
            assert!(known.contains(&kid), "{minutes} minutes after the start: the {algorithm} key {kid} signs unknown");
            signed.entry(algorithm).or_default().insert(kid);
        }
    }

    let tokens = world.cloud.standin.calls_of("AssumeRoleWithWebIdentity");
    let refused = tokens.iter().filter(|call| !call["errorCode"].is_null()).count();
    assert_eq!(refused, 0, "AWS refused {refused} of {} tokens", tokens.len());
    assert!(tokens.len() >= usize::try_from(STEPS * HELPERS * PEOPLE).unwrap(), "only {} tokens", tokens.len());
    for algorithm in ["ES256", "RS256"] {
        let keys = signed.get(algorithm).map_or(0, BTreeSet::len);
        assert!(keys >= 5, "{algorithm}: {keys} keys in turn; four rotations make five");
    }
    let signers = || -> BTreeSet<String> {
        world.issuer.audit().iter().filter_map(|line| line["kid"].as_str().map(str::to_owned)).collect()
    };
    until("five keys to have signed for AWS", PATIENCE, || (signers().len() >= 5).then_some(()));
}
