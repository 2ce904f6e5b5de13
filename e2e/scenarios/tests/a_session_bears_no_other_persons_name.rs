//! Whoever assumes a role chooses the name of the session, which becomes the ARN that most people read in a trail. The
//! trust policies of the documentation leave no choice, at the first hop and at the second.

use serde_json::Value;
use vouch_scenarios::{
    World,
    guide::{self, DEVELOPMENT, HUB, access_role},
    meddler::Meddler,
    process::Ran,
};

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";

#[test]
fn a_session_bears_no_other_persons_name() {
    let world = World::start_with(|manifest| manifest.govern(HUB, &[DEVELOPMENT]));
    let meddler = Meddler::before_the_issuer_of(&world);
    world.cloud.prepare(&guide::hub_and_spokes(&[DEVELOPMENT]));
    let (bob, _key) = world.signed_in("bob");
    bob.set_up_profile("hub", &access_role(HUB));
    let _ = bob.aws(&["sts", "get-caller-identity", "--profile", "hub"]).succeeded();

    // Somebody who writes a client of their own has the assertion.
    let assertion = meddler.last("/v1/aws/token").1.json()["web_identity_token"].as_str().unwrap().to_owned();
    let hub = access_role(HUB);
    let enters = |name: &str| {
        let token = ["--web-identity-token", &assertion, "--role-session-name", name, "--role-arn", &hub];
        bob.aws(&[&["sts", "assume-role-with-web-identity", "--no-sign-request"][..], &token].concat())
    };
    let spoke = access_role(DEVELOPMENT);
    let goes_on = |name: &str| {
        bob.aws(&["sts", "assume-role", "--profile", "hub", "--role-session-name", name, "--role-arn", &spoke])
    };

    refused(&enters(ALICE), "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    named(&enters(BOB).succeeded(), HUB);
    refused(&goes_on(ALICE), "is not authorized to perform: sts:AssumeRole on resource");
    named(&goes_on(BOB).succeeded(), DEVELOPMENT);

    for action in ["AssumeRoleWithWebIdentity", "AssumeRole"] {
        let trail: Vec<Value> = world.cloud.standin.calls_of(action);
        let (alices, bobs): (Vec<&Value>, Vec<&Value>) =
            trail.iter().partition(|call| call["requestParameters"]["roleSessionName"] == ALICE);
        assert!(!alices.is_empty() && alices.iter().all(|call| call["errorCode"] == "AccessDenied"), "{alices:#?}");
        assert!(bobs.iter().all(|call| call["errorCode"].is_null()), "{bobs:#?}");
    }
}

fn refused(attempt: &Ran, words: &str) {
    assert_ne!(attempt.code, Some(0), "{attempt}");
    assert!(attempt.stderr.contains(words), "{attempt}");
}

fn named(opened: &Ran, account: &str) {
    let arn = format!("arn:aws:sts::{account}:assumed-role/VouchAccess/{BOB}");
    assert_eq!(opened.json()["AssumedRoleUser"]["Arn"], arn.as_str());
}
