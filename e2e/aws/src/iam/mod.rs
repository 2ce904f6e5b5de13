//! AWS Identity and Access Management, API version 2010-05-08.
//!
//! Each action checks the shape of its parameters, then whether the caller may, then their meaning: the order in which
//! AWS was seen to refuse.

mod account;
mod attachments;
mod boundary;
pub mod document;
mod inline_policies;
mod page;
mod policies;
mod policy_versions;
mod provider_lists;
mod providers;
mod quota;
mod roles;
mod shared_providers;
mod tagging;
mod trust;
mod update_role;
mod work;

use crate::api::{Call, Outcome, unknown_action};
use work::Work;

/// Runs an action.
///
/// # Errors
/// The action's faults.
pub async fn call(call: &Call<'_>) -> Outcome {
    if call.action == "CreateOpenIDConnectProvider" {
        return providers::create(call).await;
    }
    let mut work = Work::begin(call)?;
    let work = &mut work;
    match call.action.as_str() {
        "AddClientIDToOpenIDConnectProvider" => provider_lists::add_client_id(work),
        "AttachRolePolicy" => attachments::attach(work),
        "CreatePolicy" => policies::create(work),
        "CreatePolicyVersion" => policy_versions::create(work),
        "CreateRole" => roles::create(work),
        "DeleteOpenIDConnectProvider" => providers::delete(work),
        "DeletePolicy" => policies::delete(work),
        "DeletePolicyVersion" => policy_versions::delete(work),
        "DeleteRole" => roles::delete(work),
        "DeleteRolePermissionsBoundary" => boundary::delete(work),
        "DeleteRolePolicy" => inline_policies::delete(work),
        "DetachRolePolicy" => attachments::detach(work),
        "GetAccountSummary" => account::summary(work),
        "GetOpenIDConnectProvider" => providers::get(work),
        "GetPolicy" => policies::get(work),
        "GetPolicyVersion" => policy_versions::get(work),
        "GetRole" => roles::get(work),
        "GetRolePolicy" => inline_policies::get(work),
        "GetUser" => account::get_user(work),
        "ListAccountAliases" => account::aliases(work),
        "ListAttachedRolePolicies" => attachments::list(work),
        "ListEntitiesForPolicy" => attachments::entities(work),
        "ListInstanceProfilesForRole" => roles::instance_profiles(work),
        "ListOpenIDConnectProviderTags" => tagging::list_provider_tags(work),
        "ListOpenIDConnectProviders" => providers::list(work),
        "ListPolicies" => policies::list(work),
        "ListPolicyTags" => tagging::list_policy_tags(work),
        "ListPolicyVersions" => policy_versions::list(work),
        "ListRolePolicies" => inline_policies::list(work),
        "ListRoleTags" => tagging::list_role_tags(work),
        "ListRoles" => roles::list(work),
        "PutRolePermissionsBoundary" => boundary::put(work),
        "PutRolePolicy" => inline_policies::put(work),
        "RemoveClientIDFromOpenIDConnectProvider" => provider_lists::remove_client_id(work),
        "SetDefaultPolicyVersion" => policy_versions::set_default(work),
        "TagOpenIDConnectProvider" => tagging::tag_provider(work),
        "TagPolicy" => tagging::tag_policy(work),
        "TagRole" => tagging::tag_role(work),
        "UntagOpenIDConnectProvider" => tagging::untag_provider(work),
        "UntagPolicy" => tagging::untag_policy(work),
        "UntagRole" => tagging::untag_role(work),
        "UpdateAssumeRolePolicy" => update_role::trust(work),
        "UpdateOpenIDConnectProviderThumbprint" => provider_lists::update_thumbprints(work),
        "UpdateRole" => update_role::update(work),
        "UpdateRoleDescription" => update_role::description(work),
        _ => Err(unknown_action(call)),
    }
}
