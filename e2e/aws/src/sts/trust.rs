//! The trust policy's say over the three actions of assuming a role.

use crate::policy::{Context, Decision, Policies, Relation, Request, Requester};

/// Decides on `action`, then on tagging, then on the source identity, as far as the session has any. Returns the first
/// action that is refused, and why.
pub(super) fn decide(
    policies: &Policies,
    relation: Relation,
    requester: &Requester,
    resource: &str,
    context: &Context,
    actions: &[&'static str],
) -> Result<(), (&'static str, Decision)> {
    for action in actions {
        let request = Request { requester, action, resource, context };
        match policies.decide(relation, &request) {
            Decision::Allowed => {}
            refused => return Err((action, refused)),
        }
    }
    Ok(())
}

/// The actions that a session needs: assuming, and what it carries.
pub(super) fn actions(assume: &'static str, tags: bool, source_identity: bool) -> Vec<&'static str> {
    let mut actions = vec![assume];
    if tags {
        actions.push("sts:TagSession");
    }
    if source_identity {
        actions.push("sts:SetSourceIdentity");
    }
    actions
}
