//! `allow` is enforced by the issuer, whatever the trust policy in AWS says.

use serde_json::json;
use vouch_scenarios::{
    World,
    guide::{self, HUB, PRODUCTION},
    wait::{PATIENCE, until},
};

#[test]
fn a_role_that_is_not_allowed_is_refused_before_aws_is_asked() {
    let world = World::start_with(|manifest| {
        let spec = json!({
            "issuerRef": {"name": "vouch"},
            "account": HUB,
            "hub": {"name": "VouchAccess", "allow": {"domains": ["example.com"]}},
            "spokes": [{
                "name": "VouchDeploy",
                "allow": {"emails": ["bob@example.com"], "groups": ["release"]},
                "delivery": "External",
                "targets": {"accounts": [PRODUCTION]},
            }],
        });
        manifest.add("AwsFederation", "acme", &spec);
    });
    world.cloud.prepare(&guide::hub_and_spokes(&[]));
    world.cloud.prepare(&[guide::create_role(PRODUCTION, "/vouch/", "VouchDeploy", &guide::spoke_trust())]);
    let (alice, _key) = world.signed_in("alice");
    let deploy = format!("arn:aws:iam::{PRODUCTION}:role/vouch/VouchDeploy");

    world.cloud.standin.forget_calls();
    let refused = alice.vouch(&["credential", "aws", "--role", &deploy]).failed(5, "alice@example.com");
    for part in ["vouch/VouchDeploy", PRODUCTION, "acme"] {
        assert!(refused.stderr.contains(part), "{part} is missing: {refused}");
    }
    assert_eq!(refused.stdout, "");

    let unknown = format!("arn:aws:iam::{PRODUCTION}:role/vouch/Anything");
    let _ = alice.vouch(&["credential", "aws", "--role", &unknown]).failed(5, "vouch/Anything");
    assert!(world.cloud.standin.calls().is_empty(), "AWS was not asked");

    let refusals = || world.issuer.audit().iter().filter(|line| line.to_string().contains("role_not_allowed")).count();
    until("an audit line for each refusal", PATIENCE, || (refusals() == 2).then_some(()));
}
