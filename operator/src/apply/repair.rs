//! What server-side apply alone cannot put back: an item of a list that a hand has replaced by another. Apply adds ours
//! beside theirs, and the API server refuses the two together (a Service with two ports of one name).
//!
//! So the object is set to ours as a hand would, in one write, which an API server takes or refuses as a whole: what cannot
//! come in by an apply does not come in by halves. Then it is applied again, and what that hand has claimed is given up, so
//! that a later apply can change and remove it. Where a process ends in between, the claim tells the next pass of it.

use kube::{
    Api,
    api::{Patch, PatchParams, ValidationDirective},
    core::DynamicObject,
};
use serde_json::{Value, json};

use super::desired::Desired;
use crate::failure;

/// Whose hand it is. It owns nothing in the end.
const MANAGER: &str = "vouch-operator-repair";

/// Whether a repair of the object has begun and not ended.
#[must_use]
pub(super) fn is_under_way(live: &DynamicObject) -> bool {
    let mut managers = live.metadata.managed_fields.iter().flatten();
    managers.any(|entry| entry.manager.as_deref() == Some(MANAGER))
}

/// Sets an object that is ours to what it should be: lists as a whole, while members that others have added stay. It must be
/// applied again afterwards.
///
/// # Errors
/// When the API server refuses. Nothing has changed then.
pub(super) async fn set(api: &Api<DynamicObject>, desired: &Desired, uid: &str) -> Result<(), kube::Error> {
    let mut body = desired.body().clone();
    if let Some(metadata) = body.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        // A list of which one item is ours, and still is: it says whose the object is.
        metadata.remove("ownerReferences");
        metadata.insert("uid".to_owned(), Value::from(uid));
    }
    // A field that the API server does not know would be dropped otherwise, and the rest taken.
    let parameters = PatchParams { field_validation: Some(ValidationDirective::Strict), ..parameters() };
    api.patch(desired.name(), &parameters, &Patch::Merge(body)).await.map(|_| ())
}

/// Ends a repair, when one is under way, of an object that has been applied again.
///
/// # Errors
/// When the API server refuses or does not answer.
pub(super) async fn end(api: &Api<DynamicObject>, object: DynamicObject) -> Result<DynamicObject, kube::Error> {
    if !is_under_way(&object) {
        return Ok(object);
    }
    let managers = object.metadata.managed_fields.iter().flatten();
    let others: Vec<_> = managers.filter(|entry| entry.manager.as_deref() != Some(MANAGER)).collect();
    let body = json!({"metadata": {
        "uid": object.metadata.uid, "resourceVersion": object.metadata.resource_version, "managedFields": others,
    }});
    let name = object.metadata.name.as_deref().unwrap_or_default();
    match api.patch(name, &parameters(), &Patch::Merge(body)).await {
        // A controller was faster; what it wrote wakes the next pass.
        Err(error) if failure::is_conflict(&error) => Ok(object),
        answer => answer,
    }
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}
