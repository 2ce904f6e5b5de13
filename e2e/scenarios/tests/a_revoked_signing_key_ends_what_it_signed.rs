//! The emergency: a signing key is withdrawn. Its sessions end, and AWS takes the next key at once, because it was
//! published long before; only a second emergency meets a cache that does not know the key, and says so.

use serde_json::{Value, json};
use vouch_scenarios::{
    World,
    guide::{self, HUB, developer_role},
    manifest::JWKS_URL,
    wait::{PATIENCE, until},
};

const CACHE_SECONDS: i64 = 240;

const UNKNOWN_KEY: &str = "vouch: AWS has not got the key of https://vouch.example.com that signed the token, and cannot \
                           fetch it. After an emergency rotation AWS keeps the keys it has for a while: try again later. \
                           Otherwise the issuer must be reachable from the internet with a publicly trusted certificate: \
                           vouch doctor issuer\n";

fn active_key(world: &World) -> String {
    let shown = world.issuer.admin(&["keys", "show", "--output", "json"]).succeeded().json();
    let keys = shown.as_array().or_else(|| shown["keys"].as_array()).cloned().unwrap_or_default();
    let active = keys.iter().find(|key| key["state"] == "active");
    active.and_then(|key| key["kid"].as_str()).unwrap_or_else(|| panic!("no active key: {shown:#}")).to_owned()
}

/// Withdraws the key that signs, and waits until it is no longer published.
fn revoke_active_key(world: &World) {
    let revoked = active_key(world);
    let _ = world.issuer.admin(&["keys", "revoke", &revoked, "--now"]).succeeded();
    until("the key set to change", PATIENCE, || {
        let keys: Value = world.http().get(JWKS_URL).send().unwrap().json().unwrap();
        let published = keys["keys"].as_array().unwrap();
        assert!(!published.is_empty(), "never an empty key set");
        published.iter().all(|key| key["kid"] != revoked.as_str()).then_some(())
    });
}

#[test]
fn a_revoked_signing_key_ends_what_it_signed() {
    let world = World::start();
    world.cloud.prepare(&guide::direct_role(HUB));
    // AWS reads the key set, and keeps it for a while, shorter than the grace it gives to clocks.
    world.cloud.standin.turn(&json!({"jwks": {"ttl_override": CACHE_SECONDS, "refetch_on_unknown_kid": false}}));
    let (alice, _key) = world.signed_in("alice");
    let role = developer_role(HUB);
    let credential = |seconds: &str| alice.vouch(&["credential", "aws", "--role", &role, "--duration", seconds]);
    let _ = credential("900").succeeded();

    revoke_active_key(&world);
    // What AWS has issued already is AWS's; nothing new comes from the session.
    let _ = credential("901").failed(2, "vouch login");
    alice.login_again();
    let _ = credential("902").succeeded();

    revoke_active_key(&world);
    alice.login_again();
    let stale = credential("903");
    assert_eq!((stale.code, stale.stdout.as_str(), stale.stderr.as_str()), (Some(5), "", UNKNOWN_KEY), "{stale}");
    world.cloud.standin.turn(&json!({"clock_offset_seconds": CACHE_SECONDS + 1}));
    let _ = credential("903").succeeded();
}
