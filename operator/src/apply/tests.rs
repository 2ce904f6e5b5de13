//! Ownership of fields, in the words of a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::{
    ownership::{Whose, applied_fields, is_as_applied, owns_path, whose},
    *,
};

fn owner() -> Owner {
    Owner { name: "login".to_owned(), namespace: "vouch".to_owned(), uid: "u1".to_owned() }
}

fn desired() -> Desired {
    let service = json!({
        "metadata": {"annotations": {"cloud": "internal"}},
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": "login"},
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": "https"}],
        },
    });
    Desired::new(&owner(), Kind::Service, "login", &service).unwrap()
}

/// The fields as kube-apiserver 1.34 lists them for that Service.
fn fields() -> Value {
    json!({
        "f:metadata": {
            "f:annotations": {"f:cloud": {}, "f:vouch.sh/applied": {}},
            "f:labels": {
                "f:app.kubernetes.io/instance": {}, "f:app.kubernetes.io/managed-by": {}, "f:app.kubernetes.io/name": {},
                "f:app.kubernetes.io/part-of": {}, "f:app.kubernetes.io/version": {},
            },
            "f:ownerReferences": {"k:{\"uid\":\"u1\"}": {}},
        },
        "f:spec": {
            "f:ports": {"k:{\"port\":443,\"protocol\":\"TCP\"}": {
                ".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {},
            }},
            "f:selector": {},
            "f:type": {},
        },
    })
}

fn live(fields: &Value) -> DynamicObject {
    let mut object = desired().body().clone();
    object["metadata"]["managedFields"] = json!([
        {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
        {"manager": "vouch-operator", "operation": "Apply", "fieldsV1": fields},
    ]);
    object["spec"]["clusterIP"] = json!("10.0.0.1");
    serde_json::from_value(object).unwrap()
}

fn without(pointer: &str, member: &str) -> Value {
    let mut fields = fields();
    fields.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(member).unwrap();
    fields
}

#[test]
fn an_object_whose_fields_are_all_still_ours_is_as_applied() {
    assert!(is_as_applied(&desired(), &live(&fields())));
}

#[test]
fn a_field_that_somebody_else_has_changed_is_noticed_wherever_it_is() {
    let port = "/f:spec/f:ports/k:{\"port\":443,\"protocol\":\"TCP\"}";
    for (pointer, member) in [
        ("/f:spec", "f:type"),
        ("/f:spec", "f:selector"),
        ("/f:spec", "f:ports"),
        (port, "f:targetPort"),
        ("/f:metadata", "f:ownerReferences"),
        ("/f:metadata/f:labels", "f:app.kubernetes.io/part-of"),
        ("/f:metadata/f:annotations", "f:cloud"),
    ] {
        assert!(!is_as_applied(&desired(), &live(&without(pointer, member))), "{pointer}/{member}");
    }
}

#[test]
fn an_item_of_which_nothing_but_its_place_is_ours_is_not_as_applied() {
    let mut fields = fields();
    fields["f:spec"]["f:ports"]["k:{\"port\":443,\"protocol\":\"TCP\"}"] = json!({".": {}});
    assert!(!is_as_applied(&desired(), &live(&fields)));
}

#[test]
fn an_object_that_was_applied_from_another_declaration_is_not_as_applied() {
    let mut object = live(&fields());
    object.metadata.annotations.as_mut().unwrap().insert("vouch.sh/applied".to_owned(), "0".to_owned());
    assert!(!is_as_applied(&desired(), &object));
}

#[test]
fn an_object_that_we_never_applied_is_not_as_applied() {
    let mut object = live(&fields());
    object.metadata.managed_fields.as_mut().unwrap().pop();
    assert!(!is_as_applied(&desired(), &object));
    assert_eq!(applied_fields(&object), None);
}

#[test]
fn a_field_is_ours_when_it_is_on_our_list() {
    assert!(owns_path(&fields(), &["spec", "type"]));
    assert!(!owns_path(&fields(), &["spec", "replicas"]));
}

#[test]
fn the_controller_of_an_object_says_whose_it_is() {
    let mut object = live(&fields());
    assert_eq!(whose(&owner(), &object), Whose::Ours);
    let reference = &mut object.metadata.owner_references.as_mut().unwrap()[0];
    reference.uid = "u0".to_owned();
    assert_eq!(whose(&owner(), &object), Whose::Predecessors);
    object.metadata.owner_references.as_mut().unwrap()[0].controller = None;
    assert_eq!(whose(&owner(), &object), Whose::Foreign);
    object.metadata.owner_references = None;
    assert_eq!(whose(&owner(), &object), Whose::Foreign, "labels alone prove nothing");
}

#[test]
fn a_plan_reads_like_what_it_does() {
    let plan = plan(&owner(), vec![desired()], &Live::new());
    assert_eq!(plan.actions.iter().map(ToString::to_string).collect::<Vec<_>>(), ["create Service login"]);
}

#[test]
fn an_object_that_is_being_deleted_is_not_written() {
    let mut object = live(&without("/f:spec", "f:type"));
    object.metadata.deletion_timestamp = Some(jiff::Timestamp::UNIX_EPOCH.into());
    let live = Live::from([((Kind::Service, "login".to_owned()), object)]);
    assert_eq!(plan(&owner(), vec![desired()], &live), Plan::default());
}
