//! AWS's words for a refusal (IAM User Guide, "Troubleshoot access denied error messages").

use crate::policy::{Decision, Source};
use crate::wire::Fault;
use crate::world::Caller;

/// `AccessDenied` for a caller. IAM adds what was missing when nothing allowed the action; STS was recorded not to.
#[must_use]
pub fn denial(caller: &Caller, action: &str, resource: &str, decision: Decision, explains: bool) -> Fault {
    let base = format!("User: {} is not authorized to perform: {action} on resource: {resource}", caller.arn());
    let detail = match decision {
        Decision::Denied(source) => format!(" with an explicit deny in {}", policy_kind(source)),
        Decision::Unallowed(source) if explains => {
            let kind = policy_kind(source);
            let kind = kind.split_once(' ').map_or(kind, |(_, kind)| kind);
            format!(" because no {kind} allows the {action} action")
        }
        Decision::Unallowed(_) | Decision::Allowed => String::new(),
    };
    Fault::access_denied(base + &detail)
}

fn policy_kind(source: Source) -> &'static str {
    match source {
        Source::Identity => "an identity-based policy",
        Source::Boundary => "a permissions boundary",
        Source::Session => "a session policy",
        Source::Resource => "a resource-based policy",
        Source::ServiceControl => "a service control policy",
        Source::ResourceControl => "a resource control policy",
    }
}
