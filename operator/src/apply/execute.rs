//! Carries out a plan. The only writer of the objects of an issuer.

use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
    core::DynamicObject,
};
use serde_json::{Value, json};
use vouch_crds::names;

use super::{
    desired::{Desired, Owner},
    kind::Kind,
    plan::{Action, Foreign, Plan},
    repair,
};
use crate::{
    failure::{self, Category},
    lease::LeaseHeld,
};

/// Who owns the number of pods from the moment in which an autoscaler is declared until it has set one.
const HANDOVER: &str = "vouch-operator-handover";

/// A step that failed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The API server refused or did not answer.
    #[error("could not {action}")]
    Api {
        /// The step, as a sentence.
        action: String,
        /// Why not.
        #[source]
        source: kube::Error,
    },
    /// The object came into being, as somebody else's, while we looked.
    #[error(transparent)]
    Foreign(Foreign),
}

/// What was done.
#[derive(Debug, Default)]
pub struct Applied {
    /// Each step that was carried out, as a sentence.
    pub done: Vec<String>,
    /// The Deployment, when it was written.
    pub deployment: Option<DynamicObject>,
    /// Steps that failed. The others have been carried out.
    pub failed: Vec<ApplyError>,
}

/// Carries out every step of the plan. One that fails does not keep the others from being tried.
pub async fn execute(held: &LeaseHeld, owner: &Owner, plan: Plan) -> Applied {
    let mut applied = Applied::default();
    for action in plan.actions {
        let sentence = action.to_string();
        match carry_out(held, owner, action).await {
            Ok(written) => {
                tracing::info!(namespace = owner.namespace, issuer = owner.name, "{sentence}");
                if let Some((Kind::Deployment, object)) = written {
                    applied.deployment = Some(object);
                }
                applied.done.push(sentence);
            }
            Err(error) => applied.failed.push(error),
        }
    }
    applied
}

async fn carry_out(
    held: &LeaseHeld,
    owner: &Owner,
    action: Action,
) -> Result<Option<(Kind, DynamicObject)>, ApplyError> {
    let sentence = action.to_string();
    let failed = |source| ApplyError::Api { action: sentence.clone(), source };
    match action {
        Action::Create(desired) => match patch(held, owner, &desired, None).await {
            Ok(object) => Ok(Some((desired.kind(), object))),
            // The fields of somebody else's object are in the way.
            Err(error) if failure::is_conflict(&error) => {
                Err(ApplyError::Foreign(Foreign::Stranger { kind: desired.kind(), name: desired.name().to_owned() }))
            }
            Err(error) => Err(failed(error)),
        },
        Action::Update { desired, uid, hand_over_replicas } => {
            if let Some(replicas) = hand_over_replicas {
                hand_over(held, owner, &desired, &uid, replicas).await.map_err(failed)?;
            }
            let mut object = patch(held, owner, &desired, Some(&uid)).await;
            let objects = api(held, owner, desired.kind());
            if object.as_ref().is_err_and(|error| Category::of(error) == Category::Invalid) {
                repair::set(&objects, &desired, &uid).await.map_err(failed)?;
                object = patch(held, owner, &desired, Some(&uid)).await;
            }
            let object = repair::end(&objects, object.map_err(failed)?).await.map_err(failed)?;
            Ok(Some((desired.kind(), object)))
        }
        Action::Delete { kind, name, uid } => {
            let only_that = Preconditions { uid: Some(uid), resource_version: None };
            let parameters = DeleteParams { preconditions: Some(only_that), ..DeleteParams::background() };
            match api(held, owner, kind).delete(&name, &parameters).await {
                Ok(_) => Ok(None),
                Err(error) if failure::is_not_found(&error) => Ok(None),
                Err(error) => Err(failed(error)),
            }
        }
    }
}

/// Applies an object: over whatever hands have changed when it is known to be ours, and over nobody's fields otherwise.
async fn patch(
    held: &LeaseHeld,
    owner: &Owner,
    desired: &Desired,
    uid: Option<&str>,
) -> Result<DynamicObject, kube::Error> {
    let mut body = desired.body().clone();
    if let (Some(uid), Some(metadata)) = (uid, body.pointer_mut("/metadata").and_then(Value::as_object_mut)) {
        metadata.insert("uid".to_owned(), Value::String(uid.to_owned()));
    }
    let parameters = PatchParams { force: uid.is_some(), ..PatchParams::apply(names::FIELD_MANAGER) };
    api(held, owner, desired.kind()).patch(desired.name(), &parameters, &Patch::Apply(body)).await
}

async fn hand_over(
    held: &LeaseHeld,
    owner: &Owner,
    desired: &Desired,
    uid: &str,
    replicas: i64,
) -> Result<(), kube::Error> {
    let resource = desired.kind().resource();
    let body = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": desired.name(), "uid": uid},
        "spec": {"replicas": replicas},
    });
    let parameters = PatchParams::apply(HANDOVER).force();
    api(held, owner, desired.kind()).patch(desired.name(), &parameters, &Patch::Apply(body)).await.map(|_| ())
}

fn api(held: &LeaseHeld, owner: &Owner, kind: Kind) -> Api<DynamicObject> {
    Api::namespaced_with(held.client(), &owner.namespace, &kind.resource())
}
