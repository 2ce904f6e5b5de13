//! What server-side apply alone cannot put back: an item of a list that a hand has replaced by another. Apply adds ours
//! beside theirs, and the API server refuses the two together (a Service with two ports of one name).
//!
//! So the lists are set to ours first, as a hand would; then that hand's claim to them is taken off the list of managers,
//! so that a later apply can change them again. That is no way to bring a part of something in that is refused as a whole:
//! whether the object would be taken where nothing stands in its way is asked before.

use kube::{
    Api,
    api::{Patch, PatchParams},
    core::DynamicObject,
};
use serde_json::{Map, Value, json};
use vouch_crds::names;

use super::desired::Desired;

/// Whose hand it is. It owns nothing in the end.
const MANAGER: &str = "vouch-operator-repair";

/// A name at which nothing is.
const ELSEWHERE: &str = "vouch-dry-run";

/// Whether the API server would take an object where nothing stands in its way. Nothing is written.
pub(super) async fn is_valid_elsewhere(api: &Api<DynamicObject>, desired: &Desired) -> bool {
    let mut body = desired.body().clone();
    if let Some(name) = body.pointer_mut("/metadata/name") {
        *name = Value::from(ELSEWHERE);
    }
    let parameters = PatchParams { dry_run: true, ..PatchParams::apply(names::FIELD_MANAGER) };
    api.patch(ELSEWHERE, &parameters, &Patch::Apply(body)).await.is_ok()
}

/// Sets every list of an object that is ours to what it should be. The object must be applied again afterwards.
///
/// # Errors
/// When the API server refuses: the declaration itself is invalid then.
pub(super) async fn set_lists(api: &Api<DynamicObject>, desired: &Desired, uid: &str) -> Result<(), kube::Error> {
    let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let mut body = only_lists(desired.body());
    body.insert("metadata".to_owned(), json!({"uid": uid}));
    let set = api.patch(desired.name(), &parameters, &Patch::Merge(Value::Object(body))).await?;
    let managers = set.metadata.managed_fields.unwrap_or_default();
    let others: Vec<_> = managers.into_iter().filter(|entry| entry.manager.as_deref() != Some(MANAGER)).collect();
    let body = json!({"metadata": {
        "uid": uid, "resourceVersion": set.metadata.resource_version, "managedFields": others,
    }});
    api.patch(desired.name(), &parameters, &Patch::Merge(body)).await.map(|_| ())
}

/// The lists of an object, and the members that lead to them.
fn only_lists(object: &Value) -> Map<String, Value> {
    let members = object.as_object().into_iter().flatten().filter(|(name, _)| name.as_str() != "metadata");
    let lists = members.filter_map(|(name, value)| match value {
        Value::Array(_) => Some((name.clone(), value.clone())),
        Value::Object(_) => {
            Some((name.clone(), Value::Object(only_lists(value)))).filter(|(_, lists)| *lists != json!({}))
        }
        _ => None,
    });
    lists.collect()
}
