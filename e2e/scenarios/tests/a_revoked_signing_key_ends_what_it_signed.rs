//! The emergency: a signing key is withdrawn. Its sessions end, and AWS takes the next key at once when it reads the
//! key set anew, and says why not while it does not.

use std::time::Duration;

use serde_json::{Value, json};
use vouch_scenarios::{
    World,
    guide::{self, HUB, developer_role},
    wait::until,
};

fn active_key(world: &World) -> String {
    let shown = world.issuer.admin(&["keys", "show", "--output", "json"]).succeeded().json();
    let keys = shown.as_array().or_else(|| shown["keys"].as_array()).cloned().unwrap_or_default();
    let active = keys.iter().find(|key| key["state"] == "active");
    active.and_then(|key| key["kid"].as_str()).unwrap_or_else(|| panic!("no active key: {shown:#}")).to_owned()
}

#[test]
fn a_revoked_signing_key_ends_what_it_signed() {
    let world = World::start();
    world.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = world.signed_in("alice");
    let role = developer_role(HUB);
    let _ = alice.vouch(&["credential", "aws", "--role", &role]).succeeded();
    // From here on AWS keeps the key set it has just read.
    world.cloud.standin.turn(&json!({"jwks": {"ttl_override": 3600, "refetch_on_unknown_kid": false}}));

    let revoked = active_key(&world);
    let _ = world.issuer.admin(&["keys", "revoke", &revoked, "--now"]).succeeded();
    until("the key set to change", Duration::from_secs(5), || {
        let keys: Value =
            world.http().get("https://vouch.example.com/.well-known/jwks.json").send().unwrap().json().unwrap();
        let published = keys["keys"].as_array().unwrap();
        assert!(!published.is_empty(), "never an empty key set");
        published.iter().all(|key| key["kid"] != revoked.as_str()).then_some(())
    });
    // What AWS has issued already is AWS's; nothing new comes from the session.
    let renewed = alice.vouch(&["credential", "aws", "--role", &role, "--duration", "900"]);
    let _ = renewed.failed(2, "vouch login");

    alice.login();
    let stale = alice.vouch(&["credential", "aws", "--role", &role]).failed(5, "AWS");
    assert!(stale.stderr.contains("key"), "{stale}");
    world.cloud.standin.turn(&json!({"jwks": {"ttl_override": null, "refetch_on_unknown_kid": true}}));
    let _ = alice.vouch(&["credential", "aws", "--role", &role]).succeeded();
}
