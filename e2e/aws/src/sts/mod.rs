//! AWS Security Token Service, API version 2011-06-15.

mod caller;

use crate::api::{Call, Outcome, Trace, unknown_action};
use crate::endpoint::Service;

/// Whether an action needs no signature.
#[must_use]
pub fn is_unsigned(service: Service, action: &str) -> bool {
    service == Service::Sts && matches!(action, "AssumeRoleWithWebIdentity" | "AssumeRoleWithSAML")
}

/// Runs an action.
///
/// # Errors
/// The action's faults.
pub async fn call(call: &Call<'_>, _trace: &mut Trace) -> Outcome {
    match call.action.as_str() {
        "GetCallerIdentity" => Ok(Some(caller::get_caller_identity(call))),
        "GetAccessKeyInfo" => caller::get_access_key_info(call).map(Some),
        _ => Err(unknown_action(call)),
    }
}
