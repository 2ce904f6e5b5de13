//! Objects of a cluster whose definitions are newer than this program.

use serde_json::{Value, json};

use super::*;

fn issuer() -> Value {
    json!({"apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer", "metadata": {"name": "vouch"},
        "spec": {"url": "https://vouch.example.com", "organization": {"name": "Example", "emailDomains": ["example.com"]},
            "store": {"kind": "Kubernetes"}}})
}

fn federation(spec: &Value) -> Value {
    let mut object = json!({"apiVersion": "vouch.sh/v1alpha1", "kind": "AwsFederation", "metadata": {"name": "work"},
        "spec": {"issuerRef": {"name": "vouch"}, "account": "999999999999"}});
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    object
}

#[test]
fn a_member_that_only_a_newer_definition_has_is_left_out_of_account_in_a_cluster() {
    let mut issuer = issuer();
    issuer["spec"]["session"] = json!({"lifetime": "4h", "color": "red"});
    issuer["spec"]["weather"] = json!({"sun": [1, 2]});
    let federation = federation(&json!({"roles": [
        {"name": "Developer", "allow": {"domains": ["example.com"]}, "shape": "round"},
    ]}));
    let config = load_objects(&[issuer, federation]).unwrap();
    assert_eq!(config.session_lifetime, Duration::from_secs(4 * 3600));
    assert_eq!(config.federations[0].roles[0].allow.to_string(), "*@example.com");
    let told = config.notices().join("\n");
    for field in ["VouchIssuer vouch: spec.session.color", "spec.weather", "AwsFederation work: spec.roles[0].shape"] {
        assert!(told.contains(field), "{told}");
    }
    assert_eq!(config.notices().len(), 3, "{told}");
}

#[test]
fn an_allow_of_which_only_a_part_is_known_allows_nobody_and_the_others_stay() {
    let everybody = json!({"domains": ["example.com"]});
    let restricted = json!({"domains": ["example.com"], "onlyOnWeekdays": true});
    let other = json!({"planets": ["mars"]});
    let targets = |account: &str| json!({"accounts": [account]});
    let federation = federation(&json!({
        "roles": [{"name": "A", "allow": restricted}, {"name": "B", "allow": everybody}, {"name": "C", "allow": other}],
        "hub": {"name": "Hub", "allow": everybody},
        "spokes": [
            {"name": "D", "allow": restricted, "targets": targets("111111111111")},
            {"name": "E", "allow": everybody, "targets": targets("222222222222")},
        ],
    }));
    let config = load_objects(&[issuer(), federation]).unwrap();
    let federation = &config.federations[0];
    let hub = federation.hub.as_ref().unwrap();
    let roles = federation.roles.iter().map(|role| role.allow.to_string());
    let spokes = hub.spokes.iter().map(|spoke| spoke.allow.to_string());
    let allowed: Vec<String> = roles.chain([hub.allow.to_string()]).chain(spokes).collect();
    assert_eq!(allowed, ["nobody", "*@example.com", "nobody", "*@example.com", "nobody", "*@example.com"]);
}

#[test]
fn a_member_that_is_known_must_still_be_right() {
    let federation = federation(&json!({"color": "red", "roles": [{"name": "A", "allow": {"domains": ["*"]}}]}));
    let problems = load_objects(&[issuer(), federation]).map(|_| ()).unwrap_err().to_string();
    assert!(problems.contains("spec.roles[0].allow.domains[0]") && !problems.contains("color"), "{problems}");
}

#[test]
fn in_a_file_an_unknown_member_is_a_mistake() {
    assert_eq!(load_str(&super::issuer("weather: fine")).map(|_| ()).unwrap_err().as_slice().len(), 1);
}
