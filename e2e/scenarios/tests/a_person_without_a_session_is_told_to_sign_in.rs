//! What stderr says is what `aws` shows.

use vouch_scenarios::{
    World,
    guide::{HUB, developer_role},
};

#[test]
fn a_person_without_a_session_is_told_to_sign_in() {
    let world = World::start();
    let key = world.key("key");
    let mut alice = world.developer("alice");
    alice.insert(&key);
    alice.enroll(&world.issuer.invite("alice@example.com"));

    let helper = alice.vouch(&["credential", "aws", "--role", &developer_role(HUB)]);
    let helper = helper.failed(2, "you are not signed in");
    assert!(helper.stderr.contains("Run: vouch login"), "{helper}");
    assert_eq!(helper.stdout, "", "stdout carries only the protocol's answer");

    alice.set_up_profile("vouch", &developer_role(HUB));
    let aws = alice.aws(&["sts", "get-caller-identity", "--profile", "vouch"]);
    let aws = aws.failed(255, "Error when retrieving credentials from custom-process: vouch: you are not signed in");
    assert!(aws.stderr.contains("Run: vouch login"), "{aws}");

    assert_eq!(key.touches(), 1, "the helper never asks for a tap by itself");
    assert!(world.cloud.standin.calls().is_empty(), "AWS was not asked");
}
