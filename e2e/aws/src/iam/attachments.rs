//! Managed policies attached to a role.

use super::page::Page;
use super::work::Work;
use super::{policies, quota, roles};
use crate::api::Outcome;
use crate::wire::shape::Shape;
use crate::wire::{Fault, Node};

/// A list with nothing in it.
pub(super) const NONE: &[String] = &[];

/// `AttachRolePolicy`: one that is attached already is no error.
pub(super) fn attach(work: &mut Work<'_>) -> Outcome {
    let (name, arn) = request(work)?;
    work.role(name)?;
    policies::require_partition(work, arn)?;
    if policies::is_reserved(arn) {
        return Err(Fault::new("PolicyNotAttachable", 400, "Cannot attach AWS reserved policy to an IAM role."));
    }
    if work.account()?.policy_document(arn).is_none() {
        return Err(Fault::no_such_entity(format!("Policy {arn} does not exist or is not attachable.")));
    }
    let role = work.role_mut(name)?;
    if role.attached.iter().any(|attached| attached == arn) {
        return Ok(None);
    }
    if role.attached.len() >= quota::ATTACHED_POLICIES_PER_ROLE {
        return Err(Fault::limit_exceeded(format!(
            "Cannot exceed quota for PoliciesPerRole: {}",
            quota::ATTACHED_POLICIES_PER_ROLE
        )));
    }
    role.attached.push(arn.to_owned());
    Ok(None)
}

/// `DetachRolePolicy`.
pub(super) fn detach(work: &mut Work<'_>) -> Outcome {
    let (name, arn) = request(work)?;
    let role = work.role_mut(name)?;
    let before = role.attached.len();
    role.attached.retain(|attached| attached != arn);
    if role.attached.len() == before {
        return Err(Fault::no_such_entity(format!("Policy {arn} was not found.")));
    }
    Ok(None)
}

fn request<'a>(work: &Work<'a>) -> Result<(&'a str, &'a str), Fault> {
    let mut shape = Shape::iam();
    let name = roles::name(work.params(), &mut shape);
    let arn = shape.required("policyArn", work.params().get("PolicyArn"), (20, 2048), None);
    shape.finish()?;
    work.allow_role(name, |context| context.set("iam:PolicyARN", arn))?;
    Ok((name, arn))
}

/// `ListAttachedRolePolicies`.
pub(super) fn list(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let name = roles::name(work.params(), &mut shape);
    let page = Page::read(work.params(), &mut shape)?;
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    let role = work.role(name)?;
    Ok(Some(page.nodes("AttachedPolicies", &role.attached, |arn| {
        vec![Node::text("PolicyName", arn.rsplit('/').next().unwrap_or_default()), Node::text("PolicyArn", arn)]
    })))
}

/// `ListEntitiesForPolicy`.
pub(super) fn entities(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let arn = shape.required("policyArn", work.params().get("PolicyArn"), (20, 2048), None);
    let page = Page::read(work.params(), &mut shape)?;
    shape.finish()?;
    policies::allow(work, arn, |_| {})?;
    let account = work.account()?;
    if account.policy_document(arn).is_none() {
        return Err(policies::missing(arn));
    }
    let roles: Vec<_> =
        account.roles.values().filter(|role| role.attached.iter().any(|attached| attached == arn)).collect();
    let users = account.users.values().filter(|user| user.attached.iter().any(|attached| attached == arn));
    let users: Vec<_> =
        users.map(|user| vec![Node::text("UserName", &user.name), Node::text("UserId", &user.id)]).collect();
    let mut nodes = page
        .nodes("PolicyRoles", &roles, |role| vec![Node::text("RoleName", &role.name), Node::text("RoleId", &role.id)]);
    nodes.extend([Node::list("PolicyUsers", users), Node::strings("PolicyGroups", NONE)]);
    Ok(Some(nodes))
}
