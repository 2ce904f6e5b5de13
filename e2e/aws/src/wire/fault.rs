//! Errors as AWS states them.
//!
//! HTTP codes come from the service models; texts from recordings of real AWS, documentation and public reports.

use std::borrow::Cow;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Fault {
    /// `Code` on the wire.
    pub code: Cow<'static, str>,
    /// `Message` on the wire.
    pub message: String,
    /// HTTP status; below 500 the sender is at fault.
    pub status: u16,
}

impl Fault {
    /// Any error.
    #[must_use]
    pub fn new(code: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), message: message.into(), status }
    }

    /// A parameter breaks the shape of the service model.
    #[must_use]
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationError", 400, message)
    }

    /// A parameter has the right shape and no meaning (IAM).
    #[must_use]
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new("InvalidInput", 400, message)
    }

    /// The caller may not.
    #[must_use]
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::new("AccessDenied", 403, message)
    }

    /// The object does not exist (IAM).
    #[must_use]
    pub fn no_such_entity(message: impl Into<String>) -> Self {
        Self::new("NoSuchEntity", 404, message)
    }

    /// The object exists already (IAM).
    #[must_use]
    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new("EntityAlreadyExists", 409, message)
    }

    /// The object is in use (IAM).
    #[must_use]
    pub fn delete_conflict(message: impl Into<String>) -> Self {
        Self::new("DeleteConflict", 409, message)
    }

    /// A quota is used up (IAM).
    #[must_use]
    pub fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::new("LimitExceeded", 409, message)
    }

    /// A policy document is not one.
    #[must_use]
    pub fn malformed_policy(message: impl Into<String>) -> Self {
        Self::new("MalformedPolicyDocument", 400, message)
    }

    /// A web-identity token is not acceptable (STS).
    #[must_use]
    pub fn invalid_identity_token(message: impl Into<String>) -> Self {
        Self::new("InvalidIdentityToken", 400, message)
    }

    /// The server is at fault.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalFailure", 500, message)
    }

    /// The call rate is too high.
    #[must_use]
    pub fn throttled() -> Self {
        Self::new("Throttling", 400, "Rate exceeded")
    }

    /// The error name in the call log: IAM and STS log the name of the service model, which for most errors is the
    /// wire code with `Exception` behind it.
    #[must_use]
    pub fn model_name(&self) -> String {
        let plain = [
            "AccessDenied",
            "ValidationError",
            "InternalFailure",
            "Throttling",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
        ];
        if self.code.ends_with("Exception") || plain.contains(&self.code.as_ref()) {
            self.code.to_string()
        } else {
            format!("{}Exception", self.code)
        }
    }
}
