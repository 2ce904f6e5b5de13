//! Whether a live object is ours, and still as we left it.
//!
//! The API server keeps a list of the fields that each manager has applied, and takes a field out of it when somebody
//! else changes or removes the field. So an object is as we left it when every field that we would apply is still on our
//! list. Fields of others (a status, an autoscaler's `replicas`, a mesh's annotation) are none of our business.

use kube::core::DynamicObject;
use serde_json::Value;
use vouch_crds::names::{self, annotation};

use super::{
    desired::{Desired, Owner},
    repair,
};

/// Whose an existing object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Its controller is the `VouchIssuer` in question.
    Ours,
    /// Its controller is a `VouchIssuer` of that name which is gone; the API server will remove it.
    Predecessors,
    /// Anybody else's.
    Foreign,
}

/// Whose the object is.
#[must_use]
pub fn whose(owner: &Owner, live: &DynamicObject) -> Whose {
    let references = live.metadata.owner_references.iter().flatten();
    match references.into_iter().find(|reference| reference.controller == Some(true)) {
        Some(reference) if reference.uid == owner.uid => Whose::Ours,
        Some(reference) if reference.kind == "VouchIssuer" && reference.name == owner.name => Whose::Predecessors,
        _ => Whose::Foreign,
    }
}

/// Whether applying `desired` would change nothing, and nothing that was begun is to be ended.
#[must_use]
pub fn is_as_applied(desired: &Desired, live: &DynamicObject) -> bool {
    let noted = live.metadata.annotations.as_ref().and_then(|annotations| annotations.get(annotation::APPLIED));
    noted.map(String::as_str) == desired.digest()
        && applied_fields(live).is_some_and(|fields| owns_object(desired, fields))
        && !repair::is_under_way(live)
}

/// The fields that we have applied and nobody has changed since.
#[must_use]
pub fn applied_fields(live: &DynamicObject) -> Option<&Value> {
    let managers = live.metadata.managed_fields.as_ref()?;
    let ours = managers.iter().find(|entry| {
        entry.manager.as_deref() == Some(names::FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    })?;
    ours.fields_v1.as_ref().map(|fields| &fields.0)
}

/// Whether the field that a path of members names is on our list.
#[must_use]
pub fn owns_path(fields: &Value, path: &[&str]) -> bool {
    path.iter().try_fold(fields, |node, member| node.get(format!("f:{member}"))).is_some()
}

fn owns_object(desired: &Desired, fields: &Value) -> bool {
    let Some(members) = desired.body().as_object() else { return false };
    members.iter().all(|(name, value)| match name.as_str() {
        "apiVersion" | "kind" => true,
        "metadata" => owns_metadata(value, fields),
        _ => fields.get(format!("f:{name}")).is_some_and(|node| owns(value, node)),
    })
}

fn owns_metadata(metadata: &Value, fields: &Value) -> bool {
    let Some(node) = fields.get("f:metadata") else { return false };
    ["labels", "annotations", "ownerReferences"].into_iter().all(|name| match metadata.get(name) {
        Some(value) => node.get(format!("f:{name}")).is_some_and(|node| owns(value, node)),
        None => true,
    })
}

/// Whether the part of the list at `node` covers `value` (`FieldsV1` of `k8s.io/apimachinery`: `f:` a member, `k:` an item
/// by its keys, `v:` an item by its value, `.` the thing itself; an empty node is a leaf, owned as a whole).
fn owns(value: &Value, node: &Value) -> bool {
    let Some(entries) = node.as_object() else { return false };
    if entries.is_empty() {
        return true;
    }
    match value {
        Value::Object(members) => {
            members.iter().all(|(name, value)| entries.get(&format!("f:{name}")).is_some_and(|node| owns(value, node)))
        }
        Value::Array(items) => items.iter().all(|item| {
            entries.iter().any(|(entry, node)| match entry.split_once(':') {
                Some(("k", keys)) => is_item(item, keys) && owns(item, node),
                Some(("v", text)) => serde_json::from_str::<Value>(text).is_ok_and(|value| value == *item),
                _ => false,
            })
        }),
        _ => false,
    }
}

fn is_item(item: &Value, keys: &str) -> bool {
    match serde_json::from_str::<Value>(keys) {
        Ok(Value::Object(keys)) => keys.iter().all(|(name, value)| item.get(name) == Some(value)),
        _ => false,
    }
}
