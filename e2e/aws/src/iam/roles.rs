//! Roles: create, read, delete.

use std::collections::BTreeMap;

use super::page::Page;
use super::work::Work;
use super::{attachments, boundary, document, quota, tagging, trust};
use crate::api::Outcome;
use crate::wire::encoding::iso_time;
use crate::wire::shape::{NAME, Shape};
use crate::wire::{Fault, Node, Params};
use crate::world::{KeyCase, Role, ids};

const DEFAULT_SESSION: i32 = 3600;

/// `CreateRole`.
pub(super) fn create(work: &mut Work<'_>) -> Outcome {
    let params = work.params();
    let mut shape = Shape::iam();
    let name = name(params, &mut shape);
    let path = path(params, &mut shape);
    let text = shape.required("assumeRolePolicyDocument", params.get("AssumeRolePolicyDocument"), (1, 131_072), None);
    let description = params.get("Description").unwrap_or_default();
    shape.optional("description", Some(description), (0, 1000), None);
    let duration = session_duration(params, &mut shape)?.unwrap_or(DEFAULT_SESSION);
    let pairs = tagging::read(params, &mut shape)?;
    let boundary = params.get("PermissionsBoundary");
    shape.finish()?;
    let arn = work.arn(&format!("role{path}{name}"))?;
    work.allow(&arn, None, |context| {
        tagging::request_keys(context, &pairs);
        context.set_if("iam:PermissionsBoundary", boundary);
    })?;
    let account = work.account()?;
    if account.role(name).is_some() {
        return Err(Fault::already_exists(format!("Role with name {name} already exists.")));
    }
    if account.roles.len() >= quota::ROLES {
        return Err(Fault::limit_exceeded(format!("Cannot exceed quota for RolesPerAccount: {}", quota::ROLES)));
    }
    if let Some(policy) = boundary {
        boundary::require_attachable(account, policy)?;
    }
    let role = Role {
        name: name.to_owned(),
        path,
        id: ids::unique_id("AROA", 17),
        arn,
        created: work.call.now,
        trust: trust::read(&work.world, account.partition, text)?,
        description: description.to_owned(),
        max_session_duration: duration,
        tags: tagging::fresh(KeyCase::Folded, pairs)?,
        boundary: boundary.map(str::to_owned),
        attached: Vec::new(),
        inline: BTreeMap::new(),
    };
    let mut nodes = summary(&role, &role.trust.sent);
    nodes.extend(tags_and_boundary(&role));
    work.account_mut()?.roles.insert(name.to_lowercase(), role);
    Ok(Some(vec![Node::structure("Role", nodes)]))
}

/// `RoleName`, as a required parameter.
pub(super) fn name<'a>(params: &'a Params, shape: &mut Shape) -> &'a str {
    shape.required("roleName", params.get("RoleName"), (1, 64), Some(NAME))
}

/// `MaxSessionDuration`.
pub(super) fn session_duration(params: &Params, shape: &mut Shape) -> Result<Option<i32>, Fault> {
    shape.integer("maxSessionDuration", params.get("MaxSessionDuration"), (3600, 43200))
}

/// `Path`, by default `/`.
pub(super) fn path(params: &Params, shape: &mut Shape) -> String {
    let path = params.get("Path").unwrap_or("/");
    shape.optional("path", Some(path), (1, 512), None);
    let delimited =
        path.starts_with('/') && path.ends_with('/') && path.chars().all(|character| character.is_ascii_graphic());
    shape.require(delimited, "path", r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)");
    path.to_owned()
}

/// Members that every answer about a role has, with its trust policy in the given form.
fn summary(role: &Role, trust: &str) -> Vec<Node> {
    vec![
        Node::text("Path", &role.path),
        Node::text("RoleName", &role.name),
        Node::text("RoleId", &role.id),
        Node::text("Arn", &role.arn),
        Node::text("CreateDate", iso_time(role.created)),
        Node::text("AssumeRolePolicyDocument", document::on_the_wire(trust)),
    ]
}

fn description_and_duration(role: &Role) -> Vec<Node> {
    vec![Node::text("Description", &role.description), Node::text("MaxSessionDuration", role.max_session_duration)]
}

fn tags_and_boundary(role: &Role) -> Vec<Node> {
    let mut nodes = Vec::new();
    if !role.tags.is_empty() {
        nodes.push(tagging::node(&role.tags));
    }
    if let Some(arn) = &role.boundary {
        let members = [Node::text("PermissionsBoundaryType", "Policy"), Node::text("PermissionsBoundaryArn", arn)];
        nodes.push(Node::structure("PermissionsBoundary", members));
    }
    nodes
}

/// `GetRole`.
pub(super) fn get(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let name = name(work.params(), &mut shape);
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    let role = work.role(name)?;
    let mut nodes = summary(role, &trust::shown(&work.world, &role.trust));
    nodes.extend(description_and_duration(role));
    nodes.extend(tags_and_boundary(role));
    // AWS records use with hours of delay: within the life of a test every role is unused.
    nodes.push(Node::structure("RoleLastUsed", []));
    Ok(Some(vec![Node::structure("Role", nodes)]))
}

/// The answer of `UpdateRoleDescription`: neither duration, tags nor boundary (recorded).
pub(super) fn described(work: &Work<'_>, role: &Role) -> Node {
    let mut nodes = summary(role, &trust::shown(&work.world, &role.trust));
    nodes.push(Node::text("Description", &role.description));
    Node::structure("Role", nodes)
}

/// `ListRoles`.
pub(super) fn list(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let page = Page::read(work.params(), &mut shape)?;
    shape.finish()?;
    let prefix = work.params().get("PathPrefix").unwrap_or("/");
    work.allow(&work.arn(&format!("role{prefix}"))?, None, |_| {})?;
    let roles: Vec<&Role> = work.account()?.roles.values().filter(|role| role.path.starts_with(prefix)).collect();
    Ok(Some(page.nodes("Roles", &roles, |role| {
        let mut nodes = summary(role, &trust::shown(&work.world, &role.trust));
        nodes.extend(description_and_duration(role));
        nodes
    })))
}

/// `DeleteRole`.
pub(super) fn delete(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let name = name(work.params(), &mut shape);
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    let role = work.role(name)?;
    if !role.attached.is_empty() {
        return Err(Fault::delete_conflict("Cannot delete entity, must detach all policies first."));
    }
    if !role.inline.is_empty() {
        return Err(Fault::delete_conflict("Cannot delete entity, must delete policies first."));
    }
    work.account_mut()?.roles.remove(&name.to_lowercase());
    Ok(None)
}

/// `ListInstanceProfilesForRole`, which provisioning tools call before they delete a role; there are none here.
pub(super) fn instance_profiles(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let name = name(work.params(), &mut shape);
    let page = Page::read(work.params(), &mut shape)?;
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    work.role(name)?;
    Ok(Some(page.strings("InstanceProfiles", attachments::NONE)))
}
