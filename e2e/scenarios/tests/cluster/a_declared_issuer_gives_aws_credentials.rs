//! The administrator's first morning and the developer's: `helm install`, one `VouchIssuer`, an invite, one tap, and the
//! real `aws` in a hub and two spokes.

use vouch_scenarios::{
    guide::{self, DEVELOPMENT, HUB, PRODUCTION, access_role},
    kubernetes::{self, site::Site},
};

#[test]
fn a_declared_issuer_gives_aws_credentials() {
    let (installation, _together) = kubernetes::together();
    let site =
        Site::start_with(installation, "first-morning", |manifest| manifest.govern(HUB, &[DEVELOPMENT, PRODUCTION]));
    site.cloud.prepare(&guide::hub_and_spokes(&[DEVELOPMENT, PRODUCTION]));
    let (alice, key) = site.signed_in("alice");
    alice.set_up_profile("vouch-dev", &access_role(DEVELOPMENT));
    alice.set_up_profile("vouch-prod", &access_role(PRODUCTION));

    let touches = key.touches();
    for (profile, account) in [("vouch-dev", DEVELOPMENT), ("vouch-prod", PRODUCTION)] {
        let identity = alice.aws(&["sts", "get-caller-identity", "--profile", profile]).succeeded().json();
        let arn = format!("arn:aws:sts::{account}:assumed-role/VouchAccess/alice@example.com");
        assert_eq!(identity["Arn"], arn.as_str());
    }
    assert_eq!(touches, 2, "one touch to enroll, one to sign in");
    assert_eq!(key.touches(), 0, "and none for AWS");

    let table = site.kubectl(&["get", "vouchissuer"]).succeeded().stdout;
    for text in ["https://vouch.example.com", "True", "AsDeclared", "3/3"] {
        assert!(table.contains(text), "{table}");
    }
    let people = site.kubectl(&["get", "vouchuser"]).succeeded().stdout;
    assert!(people.contains("alice@example.com"), "{people}");
}
