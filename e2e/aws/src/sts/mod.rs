//! AWS Security Token Service, API version 2011-06-15.

mod assume_role;
mod caller;
mod issue;
mod packed;
mod request;
mod tags;
mod trust;
mod web_identity;

use crate::api::{Call, Outcome, Trace, unknown_action};
use crate::endpoint::Service;
use crate::wire::Fault;
use crate::world::Caller;

/// Whether an action needs no signature.
#[must_use]
pub fn is_unsigned(service: Service, action: &str) -> bool {
    service == Service::Sts && matches!(action, "AssumeRoleWithWebIdentity" | "AssumeRoleWithSAML")
}

/// Runs an action.
///
/// # Errors
/// The action's faults.
pub async fn call(call: &Call<'_>, trace: &mut Trace) -> Outcome {
    match call.action.as_str() {
        "AssumeRole" => assume_role::assume_role(call, trace).map(Some),
        "AssumeRoleWithWebIdentity" => web_identity::assume_role_with_web_identity(call, trace).await.map(Some),
        "GetAccessKeyInfo" => caller::get_access_key_info(call).map(Some),
        "GetCallerIdentity" => Ok(Some(caller::get_caller_identity(call))),
        "GetFederationToken" | "GetSessionToken" => Err(no_user_sessions(call)),
        _ => Err(unknown_action(call)),
    }
}

/// AWS gives these to users only, and this stand-in's users exist to set tests up.
fn no_user_sessions(call: &Call<'_>) -> Fault {
    match call.caller {
        Caller::Session { .. } => Fault::access_denied(format!("Cannot call {} with session credentials", call.action)),
        _ => Fault::access_denied(format!("The stand-in offers no {}", call.action)),
    }
}
