//! AWS knows no groups, and the credentials of a hub are one `aws sts assume-role` away from every spoke behind it. A
//! spoke for a group therefore compares the tag `vouch:Role`, which the issuer sets to the role it granted.

use serde_json::{Value, json};
use vouch_scenarios::{
    World,
    cloud::Call,
    developer::Developer,
    guide::{self, HUB, PRODUCTION, access_role},
    process::Ran,
    virtual_key::VirtualKey,
};

const BOB: &str = "bob@example.com";

fn deploy_role() -> String {
    format!("arn:aws:iam::{PRODUCTION}:role/vouch/VouchDeploy")
}

/// The condition that the documentation gives for a spoke of a group.
fn trust_for_the_group() -> Value {
    let mut trust = guide::spoke_trust();
    trust["Statement"][0]["Condition"]["StringEquals"]["aws:PrincipalTag/vouch:Role"] = json!(deploy_role());
    trust
}

fn hub_may_try_every_spoke() -> Call {
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
            "Resource": "arn:aws:iam::*:role/vouch/*",
        }],
    });
    let parameters =
        json!({"RoleName": "VouchAccess", "PolicyName": "AssumeSpokes", "PolicyDocument": document.to_string()});
    Call::new(HUB, "iam", "put_role_policy", parameters)
}

fn world() -> World {
    let world = World::start_with(|manifest| {
        manifest.govern(HUB, &[PRODUCTION]);
        let spokes = &mut manifest.others[0]["spec"]["spokes"];
        spokes.as_array_mut().unwrap().push(json!({
            "name": "VouchDeploy",
            "allow": {"groups": ["release"]},
            "delivery": "External",
            "targets": {"accounts": [PRODUCTION]},
        }));
    });
    world.cloud.prepare(&guide::hub_and_spokes(&[PRODUCTION]));
    let deploy = guide::create_role(PRODUCTION, "/vouch/", "VouchDeploy", &trust_for_the_group());
    world.cloud.prepare(&[hub_may_try_every_spoke(), deploy]);
    world
}

/// A member of a group, signed in.
fn member(world: &World, name: &str, group: &str) -> (Developer, VirtualKey) {
    let key = world.key(&format!("key-of-{name}"));
    let mut developer = world.developer(name);
    developer.insert(&key);
    let invited = world.issuer.admin(&["invite", &format!("{name}@example.com"), "--group", group, "--output", "json"]);
    developer.enroll(&serde_json::from_value(invited.succeeded().json()).unwrap());
    developer.login();
    (developer, key)
}

/// What anybody can do who has the hub's credentials.
fn assume_by_hand(developer: &Developer, name: &str, role: &str, more: &[&str]) -> Ran {
    let arguments = ["sts", "assume-role", "--profile", "hub", "--role-session-name", name, "--role-arn", role];
    developer.aws(&[&arguments[..], more].concat())
}

#[test]
fn a_spoke_for_a_group_is_closed_to_everybody_elses_hub_credentials() {
    let world = world();
    let (bob, _key_of_bob) = world.signed_in("bob");
    let (alice, _key_of_alice) = member(&world, "alice", "release");

    // Members get in the ordinary way.
    alice.set_up_profile("deploy", &deploy_role());
    let identity = alice.aws(&["sts", "get-caller-identity", "--profile", "deploy"]).succeeded().json();
    let arn = format!("arn:aws:sts::{PRODUCTION}:assumed-role/VouchDeploy/alice@example.com");
    assert_eq!(identity["Arn"], arn.as_str());

    // Others are turned away by the issuer, and take the hub, which everybody may.
    let _ = bob.vouch(&["credential", "aws", "--role", &deploy_role()]).failed(5, "VouchDeploy");
    bob.set_up_profile("hub", &access_role(HUB));
    let opened = assume_by_hand(&bob, BOB, &access_role(PRODUCTION), &[]).succeeded().json();
    assert_eq!(opened["SourceIdentity"], BOB, "the hub's credentials do open a spoke without the condition");
    let closed = assume_by_hand(&bob, BOB, &deploy_role(), &[]);
    assert_ne!(closed.code, Some(0), "{closed}");
    let refusal = format!(
        "An error occurred (AccessDenied) when calling the AssumeRole operation: User: \
         arn:aws:sts::{HUB}:assumed-role/VouchAccess/bob@example.com is not authorized to perform: sts:AssumeRole on \
         resource: {}",
        deploy_role()
    );
    assert!(closed.stderr.contains(&refusal), "{closed}");
    assert_eq!(closed.stdout, "");

    // The tag cannot be given to oneself, and a member's own hub credentials were not granted for the spoke either.
    let tag = format!("Key=vouch:Role,Value={}", deploy_role());
    let forged = assume_by_hand(&bob, BOB, &deploy_role(), &["--tags", &tag]);
    assert_ne!(forged.code, Some(0), "{forged}");
    alice.set_up_profile("hub", &access_role(HUB));
    let _ = assume_by_hand(&alice, "alice@example.com", &access_role(PRODUCTION), &[]).succeeded();
    assert_ne!(assume_by_hand(&alice, "alice@example.com", &deploy_role(), &[]).code, Some(0));

    let taken = world.cloud.standin.calls_of("AssumeRole");
    let deployed: Vec<_> = taken
        .iter()
        .filter(|call| call["requestParameters"]["roleArn"] == deploy_role().as_str() && call["errorCode"].is_null())
        .collect();
    assert_eq!(deployed.len(), 1, "alice's through the agent, and no other: {deployed:#?}");
    assert_eq!(deployed[0]["requestParameters"]["incomingTransitiveTags"]["vouch:Role"], deploy_role().as_str());
}
