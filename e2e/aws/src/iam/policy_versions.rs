//! Versions of a managed policy.

use super::page::Page;
use super::work::Work;
use super::{document, policies, quota};
use crate::api::Outcome;
use crate::policy::managed;
use crate::wire::encoding::iso_time;
use crate::wire::shape::Shape;
use crate::wire::{Fault, Node};
use crate::world::PolicyVersion;

/// `CreatePolicyVersion`.
pub(super) fn create(work: &mut Work<'_>) -> Outcome {
    let params = work.params();
    let arn = policies::requested(work)?;
    refuse_aws_managed(arn, "Cannot create versions for policies outside your own account.")?;
    let mut shape = Shape::iam();
    let text = shape.required("policyDocument", params.get("PolicyDocument"), (1, 131_072), None);
    shape.finish()?;
    let now = work.call.now;
    let policy = policies::find_mut(work, arn)?;
    let parsed = policies::read(text)?;
    if policy.versions.len() >= quota::VERSIONS_PER_POLICY {
        return Err(Fault::limit_exceeded(format!(
            "A managed policy can have up to {} versions. Before you create a new version, you must delete an existing version.",
            quota::VERSIONS_PER_POLICY
        )));
    }
    let version = PolicyVersion {
        id: format!("v{}", policy.next_version),
        text: text.to_owned(),
        document: parsed,
        created: now,
    };
    policy.next_version += 1;
    policy.updated = now;
    if params.get("SetAsDefault") == Some("true") {
        policy.default_version.clone_from(&version.id);
    }
    let nodes = summary(&version, version.id == policy.default_version);
    policy.versions.push(version);
    Ok(Some(vec![Node::structure("PolicyVersion", nodes)]))
}

/// `GetPolicyVersion`: the document comes back verbatim.
pub(super) fn get(work: &mut Work<'_>) -> Outcome {
    let arn = policies::requested(work)?;
    let id = version_id(work)?;
    if let Some(policy) = managed::find(arn).filter(|_| id == "v1") {
        return Ok(Some(vec![Node::structure(
            "PolicyVersion",
            [
                Node::text("Document", document::on_the_wire(policy.document)),
                Node::text("VersionId", "v1"),
                Node::text("IsDefaultVersion", true),
                Node::text("CreateDate", policies::AWS_MANAGED_DATE),
            ],
        )]));
    }
    let policy = policies::find(work, arn)?;
    let version = policy.version(id).ok_or_else(|| missing(arn, id))?;
    let mut nodes = vec![Node::text("Document", document::on_the_wire(&version.text))];
    nodes.extend(summary(version, version.id == policy.default_version));
    Ok(Some(vec![Node::structure("PolicyVersion", nodes)]))
}

/// `ListPolicyVersions`, newest first.
pub(super) fn list(work: &mut Work<'_>) -> Outcome {
    let arn = policies::requested(work)?;
    let mut shape = Shape::iam();
    let page = Page::read(work.params(), &mut shape)?;
    shape.finish()?;
    let policy = policies::find(work, arn)?;
    let versions: Vec<&PolicyVersion> = policy.versions.iter().rev().collect();
    Ok(Some(page.nodes("Versions", &versions, |version| summary(version, version.id == policy.default_version))))
}

/// `SetDefaultPolicyVersion`.
pub(super) fn set_default(work: &mut Work<'_>) -> Outcome {
    let arn = policies::requested(work)?;
    refuse_aws_managed(arn, "Cannot update policies outside your own account.")?;
    let id = version_id(work)?;
    let now = work.call.now;
    let policy = policies::find_mut(work, arn)?;
    if policy.version(id).is_none() {
        return Err(missing(arn, id));
    }
    id.clone_into(&mut policy.default_version);
    policy.updated = now;
    Ok(None)
}

/// `DeletePolicyVersion`.
pub(super) fn delete(work: &mut Work<'_>) -> Outcome {
    let arn = policies::requested(work)?;
    refuse_aws_managed(arn, "Cannot delete policy versions for policies outside your own account.")?;
    let id = version_id(work)?;
    let policy = policies::find_mut(work, arn)?;
    if policy.version(id).is_none() {
        return Err(missing(arn, id));
    }
    if policy.default_version == id {
        return Err(Fault::delete_conflict("Cannot delete the default version of a policy."));
    }
    policy.versions.retain(|version| version.id != id);
    Ok(None)
}

fn version_id<'a>(work: &Work<'a>) -> Result<&'a str, Fault> {
    let mut shape = Shape::iam();
    let id = shape.required("versionId", work.params().get("VersionId"), (1, 64), None);
    shape.finish()?;
    Ok(id)
}

fn refuse_aws_managed(arn: &str, text: &str) -> Result<(), Fault> {
    if managed::find(arn).is_some() { Err(Fault::access_denied(text)) } else { Ok(()) }
}

fn missing(arn: &str, id: &str) -> Fault {
    Fault::no_such_entity(format!("Policy {arn} version {id} does not exist or is not attachable."))
}

fn summary(version: &PolicyVersion, default: bool) -> Vec<Node> {
    vec![
        Node::text("VersionId", &version.id),
        Node::text("IsDefaultVersion", default),
        Node::text("CreateDate", iso_time(version.created)),
    ]
}
