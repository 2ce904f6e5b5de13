//! Managed policies: create, read, delete.

use super::page::Page;
use super::work::Work;
use super::{document, quota, roles, tagging};
use crate::api::Outcome;
use crate::policy::{Context, managed};
use crate::wire::encoding::iso_time;
use crate::wire::shape::{NAME, Shape};
use crate::wire::{Fault, Node};
use crate::world::{Account, KeyCase, ManagedPolicy, PolicyVersion, ids};

/// AWS's own policies carry the date on which IAM got managed policies.
pub(super) const AWS_MANAGED_DATE: &str = "2015-02-06T18:39:46Z";

/// `CreatePolicy`.
pub(super) fn create(work: &mut Work<'_>) -> Outcome {
    let params = work.params();
    let mut shape = Shape::iam();
    let name = shape.required("policyName", params.get("PolicyName"), (1, 128), Some(NAME));
    let path = roles::path(params, &mut shape);
    let text = shape.required("policyDocument", params.get("PolicyDocument"), (1, 131_072), None);
    let description = params.get("Description");
    shape.optional("description", description, (0, 1000), None);
    let pairs = tagging::read(params, &mut shape)?;
    shape.finish()?;
    let arn = work.arn(&format!("policy{path}{name}"))?;
    work.allow(&arn, None, |context| tagging::request_keys(context, &pairs))?;
    let now = work.call.now;
    let account = work.account_mut()?;
    if account.policies.values().any(|policy| policy.name.eq_ignore_ascii_case(name)) {
        return Err(Fault::already_exists(format!(
            "A policy called {name} already exists. Duplicate names are not allowed."
        )));
    }
    if account.policies.len() >= quota::POLICIES {
        return Err(Fault::limit_exceeded(format!("Cannot exceed quota for PoliciesPerAccount: {}", quota::POLICIES)));
    }
    let parsed = read(text)?;
    let version = PolicyVersion { id: "v1".to_owned(), text: text.to_owned(), document: parsed, created: now };
    let policy = ManagedPolicy {
        name: name.to_owned(),
        path,
        id: ids::unique_id("ANPA", 17),
        arn: arn.clone(),
        description: description.map(str::to_owned),
        created: now,
        updated: now,
        versions: vec![version],
        default_version: "v1".to_owned(),
        next_version: 2,
        tags: tagging::fresh(KeyCase::Distinct, pairs)?,
    };
    let mut nodes = summary(&policy, 0);
    if !policy.tags.is_empty() {
        nodes.push(tagging::node(&policy.tags));
    }
    account.policies.insert(arn, policy);
    Ok(Some(vec![Node::structure("Policy", nodes)]))
}

/// Reads a document for a managed policy, within the quota.
pub(super) fn read(text: &str) -> Result<crate::policy::Document, Fault> {
    let document = document::identity_policy(text)?;
    if quota::size(text) > quota::POLICY_SIZE {
        return Err(Fault::limit_exceeded(format!("Cannot exceed quota for PolicySize: {}", quota::POLICY_SIZE)));
    }
    Ok(document)
}

/// Requires that the caller may run this action on a policy.
pub(super) fn allow(work: &Work<'_>, arn: &str, extra: impl FnOnce(&mut Context)) -> Result<(), Fault> {
    require_partition(work, arn)?;
    let tags = work.account()?.policies.get(arn).map(|policy| &policy.tags);
    work.allow(arn, tags, extra)
}

/// Refuses an ARN of another partition.
pub(super) fn require_partition(work: &Work<'_>, arn: &str) -> Result<(), Fault> {
    let partition = work.account()?.partition.id();
    match arn.split(':').nth(1) {
        Some(given) if given == partition => Ok(()),
        _ => Err(Fault::validation("Invalid ARN partition")),
    }
}

/// Whether a policy is one of those that AWS attaches itself.
pub(super) fn is_reserved(arn: &str) -> bool {
    [":aws:policy/aws-service-role/", ":aws:policy/root-task/"].iter().any(|infix| arn.contains(infix))
}

/// A customer-managed policy.
pub(super) fn find<'w>(work: &'w Work<'_>, arn: &str) -> Result<&'w ManagedPolicy, Fault> {
    work.account()?.policies.get(arn).ok_or_else(|| missing(arn))
}

/// A customer-managed policy, to change it.
pub(super) fn find_mut<'w>(work: &'w mut Work<'_>, arn: &str) -> Result<&'w mut ManagedPolicy, Fault> {
    work.account_mut()?.policies.get_mut(arn).ok_or_else(|| missing(arn))
}

/// The error for a policy that does not exist.
pub(super) fn missing(arn: &str) -> Fault {
    Fault::no_such_entity(format!("Policy {arn} was not found."))
}

/// The ARN parameter, of an object that the caller may run this action on.
pub(super) fn requested<'a>(work: &Work<'a>) -> Result<&'a str, Fault> {
    let mut shape = Shape::iam();
    let arn = shape.required("policyArn", work.params().get("PolicyArn"), (20, 2048), None);
    shape.finish()?;
    allow(work, arn, |_| {})?;
    Ok(arn)
}

/// `GetPolicy`.
pub(super) fn get(work: &mut Work<'_>) -> Outcome {
    let arn = requested(work)?;
    let account = work.account()?;
    if let Some(policy) = managed::find(arn) {
        return Ok(Some(vec![Node::structure("Policy", aws_summary(policy, account))]));
    }
    let policy = find(work, arn)?;
    let mut nodes = summary(policy, attachments(account, arn));
    if let Some(description) = &policy.description {
        nodes.push(Node::text("Description", description));
    }
    nodes.push(tagging::node(&policy.tags));
    Ok(Some(vec![Node::structure("Policy", nodes)]))
}

/// `ListPolicies`.
pub(super) fn list(work: &mut Work<'_>) -> Outcome {
    let params = work.params();
    let mut shape = Shape::iam();
    let page = Page::read(params, &mut shape)?;
    shape.finish()?;
    work.allow(&work.arn("policy/*")?, None, |_| {})?;
    let (scope, prefix) = (params.get("Scope").unwrap_or("All"), params.get("PathPrefix").unwrap_or("/"));
    let attached_only = params.get("OnlyAttached") == Some("true");
    let account = work.account()?;
    let own = account.policies.values().filter(|policy| scope != "AWS" && policy.path.starts_with(prefix));
    let aws = managed::all().iter().filter(|policy| scope != "Local" && policy.path.starts_with(prefix));
    let listed: Vec<(String, Vec<Node>)> = own
        .map(|policy| (policy.arn.clone(), summary(policy, attachments(account, &policy.arn))))
        .chain(aws.map(|policy| (aws_arn(policy, account), aws_summary(policy, account))))
        .filter(|(arn, _)| !attached_only || attachments(account, arn) > 0)
        .collect();
    Ok(Some(page.nodes("Policies", &listed, |(_, nodes)| nodes.clone())))
}

/// `DeletePolicy`.
pub(super) fn delete(work: &mut Work<'_>) -> Outcome {
    let arn = requested(work)?;
    if managed::find(arn).is_some() {
        return Err(Fault::access_denied("Cannot delete policies outside your own account."));
    }
    let policy = find(work, arn)?;
    let account = work.account()?;
    let bounding = account.roles.values().any(|role| role.boundary.as_deref() == Some(arn));
    if attachments(account, arn) > 0 || bounding {
        return Err(Fault::delete_conflict("Cannot delete a policy attached to entities."));
    }
    if policy.versions.len() > 1 {
        return Err(Fault::delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
        ));
    }
    work.account_mut()?.policies.remove(arn);
    Ok(None)
}

fn attachments(account: &Account, arn: &str) -> usize {
    let roles = account.roles.values().filter(|role| role.attached.iter().any(|attached| attached == arn)).count();
    roles + account.users.values().filter(|user| user.attached.iter().any(|attached| attached == arn)).count()
}

fn summary(policy: &ManagedPolicy, attachments: usize) -> Vec<Node> {
    vec![
        Node::text("PolicyName", &policy.name),
        Node::text("PolicyId", &policy.id),
        Node::text("Arn", &policy.arn),
        Node::text("Path", &policy.path),
        Node::text("DefaultVersionId", &policy.default_version),
        Node::text("AttachmentCount", attachments),
        Node::text("PermissionsBoundaryUsageCount", 0),
        Node::text("IsAttachable", true),
        Node::text("CreateDate", iso_time(policy.created)),
        Node::text("UpdateDate", iso_time(policy.updated)),
    ]
}

fn aws_arn(policy: &managed::AwsManaged, account: &Account) -> String {
    format!("arn:{}:iam::aws:policy{}{}", account.partition.id(), policy.path, policy.name)
}

fn aws_summary(policy: &managed::AwsManaged, account: &Account) -> Vec<Node> {
    let arn = aws_arn(policy, account);
    vec![
        Node::text("PolicyName", policy.name),
        Node::text("PolicyId", format!("ANPA{}", policy.name.to_uppercase())),
        Node::text("Arn", &arn),
        Node::text("Path", policy.path),
        Node::text("DefaultVersionId", "v1"),
        Node::text("AttachmentCount", attachments(account, &arn)),
        Node::text("PermissionsBoundaryUsageCount", 0),
        Node::text("IsAttachable", true),
        Node::text("CreateDate", AWS_MANAGED_DATE),
        Node::text("UpdateDate", AWS_MANAGED_DATE),
    ]
}
