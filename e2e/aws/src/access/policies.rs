//! The policies that reach a caller.

use crate::policy::{Document, Policies};
use crate::world::{Account, Caller, Role, Session, SessionPolicy, World};

/// Identity policies, boundary, session policies and service control policies of a caller.
#[must_use]
pub fn caller_policies(world: &World, caller: &Caller) -> Policies {
    let Some(account) = caller.account().and_then(|id| world.account(id)) else {
        return Policies::default();
    };
    let mut policies = match caller {
        Caller::Anonymous => Policies::default(),
        Caller::User(user) => Policies {
            identity: account.users.get(&user.name).map(|user| managed(account, &user.attached)).unwrap_or_default(),
            ..Policies::default()
        },
        Caller::Session { session, .. } => session_policies(account, session),
    };
    policies.service_control.clone_from(&account.service_control);
    policies.resource_control.clone_from(&account.resource_control);
    policies
}

/// A session of a role that was deleted, even if created anew, may nothing.
fn session_policies(account: &Account, session: &Session) -> Policies {
    let role = account.role(&session.role_name).filter(|role| role.id == session.role_id);
    Policies {
        identity: role.map(|role| role_policies(account, role)).unwrap_or_default(),
        boundary: role
            .and_then(|role| role.boundary.as_deref())
            .map(|arn| account.policy_document(arn).unwrap_or_else(nothing)),
        session: bounding(account, session),
        ..Policies::default()
    }
}

fn role_policies(account: &Account, role: &Role) -> Vec<Document> {
    let inline = role.inline.values().map(|policy| policy.document.clone());
    managed(account, &role.attached).into_iter().chain(inline).collect()
}

/// Managed session policies are resolved at every call: a new default version changes existing sessions (recorded).
fn bounding(account: &Account, session: &Session) -> Option<Vec<Document>> {
    if session.policies.is_empty() {
        return None;
    }
    let documents = session.policies.iter().filter_map(|policy| match policy {
        SessionPolicy::Inline(document) => Some(document.clone()),
        SessionPolicy::Managed(arn) => account.policy_document(arn),
    });
    Some(documents.collect())
}

fn managed(account: &Account, arns: &[String]) -> Vec<Document> {
    arns.iter().filter_map(|arn| account.policy_document(arn)).collect()
}

/// What a boundary allows whose policy no longer exists.
fn nothing() -> Document {
    Document { version: crate::policy::document::Version::V2012, statements: Vec::new() }
}
