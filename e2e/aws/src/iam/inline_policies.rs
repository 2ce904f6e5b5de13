//! Inline policies of a role. Their names are looked up without regard to case (recorded).

use super::page::Page;
use super::work::Work;
use super::{document, quota, roles};
use crate::api::Outcome;
use crate::wire::shape::{NAME, Shape};
use crate::wire::{Fault, Node};
use crate::world::InlinePolicy;

/// `PutRolePolicy`: another spelling of a name replaces the policy and leaves its first spelling.
pub(super) fn put(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let (name, policy_name) = names(work, &mut shape);
    let text = shape.required("policyDocument", work.params().get("PolicyDocument"), (1, 131_072), None);
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    let role = work.role_mut(name)?;
    let parsed = document::identity_policy(text)?;
    let key = policy_name.to_lowercase();
    let others: usize =
        role.inline.iter().filter(|(other, _)| **other != key).map(|(_, policy)| quota::size(&policy.text)).sum();
    if others + quota::size(text) > quota::ROLE_POLICY_SIZE {
        return Err(Fault::limit_exceeded(format!(
            "Maximum policy size of {} bytes exceeded for role {name}",
            quota::ROLE_POLICY_SIZE
        )));
    }
    let spelling = role.inline.get(&key).map_or_else(|| policy_name.to_owned(), |policy| policy.name.clone());
    role.inline.insert(key, InlinePolicy { name: spelling, text: document::compact(text), document: parsed });
    Ok(None)
}

/// `GetRolePolicy`, which echoes the name as requested.
pub(super) fn get(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let (name, policy_name) = names(work, &mut shape);
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    let role = work.role(name)?;
    let policy = role.inline.get(&policy_name.to_lowercase()).ok_or_else(|| missing(policy_name))?;
    Ok(Some(vec![
        Node::text("RoleName", &role.name),
        Node::text("PolicyName", policy_name),
        Node::text("PolicyDocument", document::on_the_wire(&policy.text)),
    ]))
}

/// `DeleteRolePolicy`.
pub(super) fn delete(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let (name, policy_name) = names(work, &mut shape);
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    match work.role_mut(name)?.inline.remove(&policy_name.to_lowercase()) {
        Some(_) => Ok(None),
        None => Err(missing(policy_name)),
    }
}

/// `ListRolePolicies`.
pub(super) fn list(work: &mut Work<'_>) -> Outcome {
    let mut shape = Shape::iam();
    let name = roles::name(work.params(), &mut shape);
    let page = Page::read(work.params(), &mut shape)?;
    shape.finish()?;
    work.allow_role(name, |_| {})?;
    let names: Vec<String> = work.role(name)?.inline.values().map(|policy| policy.name.clone()).collect();
    Ok(Some(page.strings("PolicyNames", &names)))
}

fn names<'a>(work: &Work<'a>, shape: &mut Shape) -> (&'a str, &'a str) {
    let name = roles::name(work.params(), shape);
    (name, shape.required("policyName", work.params().get("PolicyName"), (1, 128), Some(NAME)))
}

fn missing(name: &str) -> Fault {
    Fault::no_such_entity(format!("The role policy with name {name} cannot be found."))
}
