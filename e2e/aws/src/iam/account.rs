//! Actions about the account and the caller's user.

use super::quota;
use super::work::Work;
use crate::api::Outcome;
use crate::wire::encoding::iso_time;
use crate::wire::{Fault, Node};
use crate::world::Caller;

/// `GetAccountSummary`.
pub(super) fn summary(work: &mut Work<'_>) -> Outcome {
    work.allow("*", None, |_| {})?;
    let account = work.account()?;
    let entries = [
        ("AccountMFAEnabled", 1),
        ("AssumeRolePolicySizeQuota", quota::ASSUME_ROLE_POLICY_SIZE),
        ("AttachedPoliciesPerRoleQuota", quota::ATTACHED_POLICIES_PER_ROLE),
        ("Policies", account.policies.len()),
        ("PoliciesQuota", quota::POLICIES),
        ("PolicySizeQuota", quota::POLICY_SIZE),
        ("Providers", account.providers.len()),
        ("RolePolicySizeQuota", quota::ROLE_POLICY_SIZE),
        ("Roles", account.roles.len()),
        ("RolesQuota", quota::ROLES),
        ("Users", account.users.len()),
        ("VersionsPerPolicyQuota", quota::VERSIONS_PER_POLICY),
    ];
    let entries = entries.into_iter().map(|(name, value)| (name.to_owned(), value.to_string()));
    Ok(Some(vec![Node::map("SummaryMap", entries)]))
}

/// `ListAccountAliases`.
pub(super) fn aliases(work: &mut Work<'_>) -> Outcome {
    work.allow("*", None, |_| {})?;
    let nodes = vec![Node::strings("AccountAliases", work.account()?.alias.iter()), Node::text("IsTruncated", false)];
    Ok(Some(nodes))
}

/// `GetUser`: a named one, or the caller.
pub(super) fn get_user(work: &mut Work<'_>) -> Outcome {
    let name = match (work.params().get("UserName"), &work.call.caller) {
        (Some(name), _) => name.to_owned(),
        (None, Caller::User(user)) => user.name.clone(),
        (None, _) => return Err(Fault::validation("Must specify userName when calling with non-User credentials")),
    };
    work.allow(&work.arn(&format!("user/{name}"))?, None, |_| {})?;
    let user = work
        .account()?
        .users
        .get(&name)
        .ok_or_else(|| Fault::no_such_entity(format!("The user with name {name} cannot be found.")))?;
    let members = [
        Node::text("Path", "/"),
        Node::text("UserName", &user.name),
        Node::text("UserId", &user.id),
        Node::text("Arn", &user.arn),
        Node::text("CreateDate", iso_time(user.created)),
    ];
    Ok(Some(vec![Node::structure("User", members)]))
}
