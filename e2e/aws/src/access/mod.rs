//! Whether a caller may: the policies that reach it, the condition keys of its request, and AWS's words for a refusal.

pub mod arn;
mod context;
mod denial;
mod policies;

use crate::api::Call;
use crate::policy::{Context, Decision, Relation, Request, Requester};
use crate::wire::Fault;
use crate::world::{Caller, World};
pub use context::{caller_context, request_context, resource_context};
pub use denial::denial;
pub use policies::caller_policies;

/// How resource policies may name a caller.
#[must_use]
pub fn requester(caller: &Caller) -> Requester {
    match caller {
        Caller::Anonymous => Requester::Anonymous,
        Caller::User(user) => {
            Requester::User { account: user.account.clone(), arn: user.arn.clone(), id: user.id.clone() }
        }
        Caller::Session { session, .. } => Requester::Session {
            account: session.account.clone(),
            role_arn: session.role_arn.clone(),
            role_id: session.role_id.clone(),
            session_arn: session.arn(),
        },
    }
}

/// Requires that a caller may do something to an object of its own account that has no policy of its own.
///
/// # Errors
/// `AccessDenied` that says what is missing.
pub fn require(world: &World, call: &Call<'_>, action: &str, resource: &str, context: &Context) -> Result<(), Fault> {
    let requester = requester(&call.caller);
    let request = Request { requester: &requester, action, resource, context };
    match caller_policies(world, &call.caller).decide(Relation::SameAccount, &request) {
        Decision::Allowed => Ok(()),
        refused => Err(denial(&call.caller, action, resource, refused, true)),
    }
}
