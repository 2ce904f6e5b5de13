//! What an object is known by elsewhere never changes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use kube_cel::Validator;
use serde_json::{Value, json};

/// What changing `field` of an object from `old` to `new` is refused with.
fn refusals(kind: &str, spec: &Value, field: &str, new: Value) -> Vec<String> {
    let definition = vouch_crds::definitions().into_iter().find(|definition| definition.kind == kind).unwrap();
    let old = json!({"metadata": {"name": "vouch"}, "spec": spec});
    let mut changed = old.clone();
    changed["spec"][field] = new;
    let validator = Validator::new();
    assert!(validator.validate(definition.schema(), &old, Some(&old)).is_ok());
    let refused = validator.validate(definition.schema(), &changed, Some(&old)).err().into_iter().flatten();
    refused.map(|error| error.to_string()).collect()
}

#[test]
fn the_url_of_an_issuer_never_changes() {
    let spec = json!({
        "url": "https://vouch.example.com",
        "organization": {"name": "Example", "emailDomains": ["example.com"]},
    });
    assert_eq!(
        refusals("VouchIssuer", &spec, "url", json!("https://id.example.com")),
        [
            "spec.url: never changes: it is the iss of every token; declare another VouchIssuer, in a namespace of its own, instead"
        ]
    );
    assert_eq!(refusals("VouchIssuer", &spec, "paused", json!(true)), Vec::<String>::new());
}

#[test]
fn account_and_partition_of_a_federation_never_change() {
    let spec = json!({
        "issuerRef": {"name": "vouch"},
        "account": "999999999999",
        "roles": [{"name": "VouchDeveloper", "allow": {"domains": ["example.com"]}}],
    });
    for (field, new) in [("account", "111111111111"), ("partition", "aws-cn")] {
        let refusals = refusals("AwsFederation", &spec, field, json!(new));
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert!(refusals[0].starts_with(&format!("spec.{field}: never changes: ")), "{refusals:?}");
    }
}

#[test]
fn the_address_of_a_person_never_changes() {
    let spec = json!({"email": "alice@example.com"});
    let refusals = refusals("VouchUser", &spec, "email", json!("bob@example.com"));
    assert_eq!(
        refusals,
        ["spec.email: never changes: keys and sessions belong to it; declare another VouchUser instead"]
    );
}
