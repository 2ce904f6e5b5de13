//! Each hop of the chain needs three actions on both sides; whichever AWS misses is said in words.

use serde_json::{Value, json};
use vouch_scenarios::{
    World,
    cloud::Call,
    guide::{self, DEVELOPMENT, HUB, access_role},
    process::Ran,
};

const ALL: [&str; 3] = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"];

fn without(action: &str) -> Vec<&'static str> {
    ALL.into_iter().filter(|one| *one != action).collect()
}

fn hub_may(actions: &[&str]) -> Call {
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": access_role("*")}],
    });
    let parameters =
        json!({"RoleName": "VouchAccess", "PolicyName": "AssumeSpokes", "PolicyDocument": document.to_string()});
    Call::new(HUB, "iam", "put_role_policy", parameters)
}

fn trust(account: &str, document: &Value) -> Call {
    let parameters = json!({"RoleName": "VouchAccess", "PolicyDocument": document.to_string()});
    Call::new(account, "iam", "update_assume_role_policy", parameters)
}

fn federated_trust_without(action: &str) -> Value {
    let mut document = guide::federated_trust(HUB);
    let actions = document["Statement"][1]["Action"].as_array_mut().unwrap();
    actions.retain(|one| one != action);
    document
}

fn first_step(action: &str) -> String {
    format!(
        "vouch: AWS refused role arn:aws:iam::{HUB}:role/vouch/VouchAccess: its trust policy lacks {action}. \
         Details: vouch doctor --profile NAME"
    )
}

fn second_step(action: &str) -> String {
    format!(
        "vouch: AWS refused the second step, from hub arn:aws:iam::{HUB}:role/vouch/VouchAccess to \
         arn:aws:iam::{DEVELOPMENT}:role/vouch/VouchAccess: not authorized to perform {action}. The spoke's trust policy or the hub's permissions policy lacks {action}. \
         Details: vouch doctor --profile NAME"
    )
}

fn says(refused: &Ran, sentence: &str) {
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(5), ""), "{refused}");
    assert_eq!(refused.stderr, format!("{sentence}\n"), "{refused}");
}

#[test]
fn aws_refusals_name_the_step_and_the_missing_permission() {
    let world = World::start_with(|manifest| manifest.govern(HUB, &[DEVELOPMENT]));
    world.cloud.prepare(&guide::hub_and_spokes(&[DEVELOPMENT]));
    let (alice, _key) = world.signed_in("alice");
    let spoke = access_role(DEVELOPMENT);
    // A new session begins without what the agent kept of the last one, such as the hub's credentials.
    let ask = || {
        let _ = alice.vouch(&["logout"]).succeeded();
        alice.login();
        alice.vouch(&["credential", "aws", "--role", &spoke])
    };

    for action in ["sts:TagSession", "sts:SetSourceIdentity"] {
        world.cloud.prepare(&[trust(HUB, &federated_trust_without(action))]);
        says(&ask(), &first_step(action));
        world.cloud.prepare(&[trust(HUB, &guide::federated_trust(HUB))]);

        world.cloud.prepare(&[hub_may(&without(action))]);
        says(&ask(), &second_step(action));
        world.cloud.prepare(&[hub_may(&ALL)]);

        world.cloud.prepare(&[trust(DEVELOPMENT, &guide::spoke_trust_with(&without(action)))]);
        says(&ask(), &second_step(action));
        world.cloud.prepare(&[trust(DEVELOPMENT, &guide::spoke_trust())]);
    }
    let credentials = ask().succeeded().json();
    assert_eq!(credentials["Version"], 1, "a refusal is not remembered");
}

#[test]
fn a_trust_policy_with_the_wrong_audience_is_named_as_the_reason() {
    let world = World::start();
    let mut calls = guide::direct_role(HUB);
    let mut document = guide::federated_trust(HUB);
    document["Statement"][0]["Condition"]["StringEquals"] = json!({"vouch.example.com:aud": "vouch.example.com"});
    calls[1] = guide::create_role(HUB, "/", "VouchDeveloper", &document);
    world.cloud.prepare(&calls);
    let (alice, _key) = world.signed_in("alice");

    let refused = alice.vouch(&["credential", "aws", "--role", &guide::developer_role(HUB)]);
    let refused = refused.failed(5, "its trust policy does not let alice@example.com in");
    assert!(refused.stderr.contains("vouch doctor --profile NAME"), "what to do is missing: {refused}");
}
