//! Every way in which AWS refuses the token itself, in the words that the person reads: from `vouch credential aws`, and
//! from `aws`, which shows them as its own error. A refusal is never kept, and gives nothing away.

use serde_json::{Value, json};
use vouch_scenarios::{
    World,
    cloud::Call,
    developer::Developer,
    guide::{self, DEVELOPMENT, HUB, PRODUCTION, developer_role},
    manifest::ISSUER_URL,
};

const NOT_ACCEPTED: &str = "vouch: AWS does not accept the audience or the signature of the token for account 999999999999. \
                            Its OIDC provider must have exactly https://vouch.example.com as client id, with https:// and \
                            without a slash at the end; if it has, the token was changed on its way: vouch doctor issuer";

const TOO_OLD: &str = "vouch: the token for role arn:aws:iam::999999999999:role/VouchDeveloper was too old when AWS got it. \
                       The clock of https://vouch.example.com is slow by minutes, or something held the request up: vouch doctor issuer";

fn no_provider(account: &str) -> String {
    format!(
        "vouch: account {account} has no OIDC provider for https://vouch.example.com. Its administrator creates one with \
         URL and client id https://vouch.example.com"
    )
}

/// Asks as helper and through `aws`, twice each: AWS is asked every time.
fn is_refused(world: &World, alice: &Developer, account: &str, sentence: &str) {
    let (role, profile) = (developer_role(account), format!("in-{account}"));
    alice.set_up_profile(&profile, &role);
    world.cloud.standin.forget_calls();
    for _ in 0..2 {
        let helper = alice.vouch(&["credential", "aws", "--role", &role]);
        assert_eq!((helper.code, helper.stdout.as_str()), (Some(5), ""), "{helper}");
        assert_eq!(helper.stderr, format!("{sentence}\n"), "{helper}");
        let aws = alice.aws(&["sts", "get-caller-identity", "--profile", &profile]);
        let _ = aws.failed(255, &format!("Error when retrieving credentials from custom-process: {sentence}"));
    }
    let refusals = world.cloud.standin.calls_of("AssumeRoleWithWebIdentity");
    assert_eq!(refusals.len(), 4, "a refusal was answered from memory: {refusals:#?}");
    assert!(refusals.iter().all(|call| call["errorCode"].is_string()), "{refusals:#?}");
    assert_eq!(world.cloud.standin.calls().len(), 4, "nobody could call anything else");
}

fn is_granted(alice: &Developer, account: &str) {
    let aws = alice.aws(&["sts", "get-caller-identity", "--profile", &format!("in-{account}")]).succeeded().json();
    assert_eq!(aws["Account"], account);
    // What was granted must not hide the next refusal.
    let _ = alice.vouch(&["logout"]).succeeded();
    alice.login();
}

fn client_id(operation: &str) -> Call {
    let parameters = json!({"OpenIDConnectProviderArn": guide::provider(HUB), "ClientID": ISSUER_URL});
    Call::new(HUB, "iam", operation, parameters)
}

#[test]
fn a_token_that_aws_does_not_take_is_explained() {
    let world = World::start();
    world.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = world.signed_in("alice");
    let turn = |knobs: Value| world.cloud.standin.turn(&knobs);

    // Tampered with on its way.
    turn(json!({"tamper_tokens": true}));
    is_refused(&world, &alice, HUB, NOT_ACCEPTED);
    turn(json!({"tamper_tokens": false}));
    is_granted(&alice, HUB);

    // A minute of life, five of grace, and AWS gets it after ten.
    turn(json!({"clock_offset_seconds": 600}));
    is_refused(&world, &alice, HUB, TOO_OLD);
    turn(json!({"clock_offset_seconds": 0}));
    is_granted(&alice, HUB);

    // For another audience than the provider knows.
    world.cloud.prepare(&[
        Call::new(
            HUB,
            "iam",
            "add_client_id_to_open_id_connect_provider",
            json!({
                "OpenIDConnectProviderArn": guide::provider(HUB), "ClientID": "vouch.example.com",
            }),
        ),
        client_id("remove_client_id_from_open_id_connect_provider"),
    ]);
    is_refused(&world, &alice, HUB, NOT_ACCEPTED);
    world.cloud.prepare(&[client_id("add_client_id_to_open_id_connect_provider")]);
    is_granted(&alice, HUB);
}

#[test]
fn a_token_for_an_account_that_does_not_know_the_issuer_is_explained() {
    let world = World::start();
    let foreign = json!({
        "Url": "https://login.example.net", "ClientIDList": [ISSUER_URL], "ThumbprintList": ["0".repeat(40)],
    });
    world.cloud.prepare(&[
        // An account in which nobody made a provider, and one whose provider is another issuer's.
        guide::create_role(DEVELOPMENT, "/", "VouchDeveloper", &guide::federated_trust(DEVELOPMENT)),
        Call::new(PRODUCTION, "iam", "create_open_id_connect_provider", foreign),
        guide::create_role(PRODUCTION, "/", "VouchDeveloper", &guide::federated_trust(PRODUCTION)),
    ]);
    let (alice, _key) = world.signed_in("alice");
    for account in [DEVELOPMENT, PRODUCTION] {
        is_refused(&world, &alice, account, &no_provider(account));
        world.cloud.prepare(&[guide::create_provider(account)]);
        is_granted(&alice, account);
    }
}
