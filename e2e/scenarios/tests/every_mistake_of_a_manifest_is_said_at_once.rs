//! Configuration is checked as a whole, and a running issuer never takes a wrong one.

use serde_json::json;
use vouch_scenarios::{
    World,
    manifest::Manifest,
    wait::{PATIENCE, until},
};

#[test]
fn every_mistake_of_a_manifest_is_said_at_once() {
    let world = World::start();
    let mut wrong = Manifest::example(world.makers_root());
    wrong.issuer["spec"]["session"] = json!({"lifetime": "9d"});
    wrong.issuer["spec"]["signingKeys"] = json!({"publishLead": "1m"});
    wrong.issuer["spec"]["organization"]["emailDomains"] = json!(["Example.com"]);
    wrong.issuer["spec"]["colour"] = json!("blue");
    world.issuer.write(&wrong);

    let checked = world.issuer.check();
    assert_ne!(checked.code, Some(0), "{checked}");
    for path in ["session.lifetime", "signingKeys.publishLead", "organization.emailDomains", "colour"] {
        assert!(checked.stderr.contains(path), "{path} is missing: {checked}");
    }

    world.issuer.reload();
    until("the log to say so", PATIENCE, || world.issuer.log().contains("publishLead").then_some(()));
    let session = world.http().get("https://vouch.example.com/.well-known/openid-configuration").send().unwrap();
    assert_eq!(session.status(), 200, "the old configuration stays in force");
}
