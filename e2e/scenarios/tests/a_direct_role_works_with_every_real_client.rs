//! The first guide: a role that people take directly, with each kind of program that reads `~/.aws/config`.

use serde_json::json;
use vouch_scenarios::{
    World,
    guide::{self, HUB, developer_role},
};

#[test]
fn a_direct_role_works_with_every_real_client() {
    let world = World::start();
    world.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = world.signed_in("alice");
    alice.set_up_profile("vouch", &developer_role(HUB));
    let arn = format!("arn:aws:sts::{HUB}:assumed-role/VouchDeveloper/alice@example.com");

    let aws = alice.aws(&["sts", "get-caller-identity", "--profile", "vouch"]).succeeded().json();
    assert_eq!(aws["Arn"], arn.as_str());
    let boto3 = alice.boto3("vouch", "sts", "get_caller_identity", &json!({})).unwrap();
    assert_eq!(boto3["Arn"], arn.as_str());
    let rust = alice.aws_sdk_rust("vouch").succeeded();
    assert_eq!(rust.stdout.trim(), arn);

    let federated = world.cloud.standin.calls_of("AssumeRoleWithWebIdentity");
    assert_eq!(federated.len(), 1, "the agent answers all three from one exchange");
}
