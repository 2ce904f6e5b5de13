//! The claim `https://aws.amazon.com/roles`: the issuer itself says for which roles a token is.

use serde_json::{Map, Value};

use crate::access::arn::RoleArn;
use crate::wire::Fault;

const CLAIM: &str = "https://aws.amazon.com/roles";

/// The roles a token is pinned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RolesClaim {
    /// To none.
    Absent,
    /// To these.
    Listed(Vec<String>),
}

impl RolesClaim {
    /// Reads the claim: a list, or a text of ARNs separated by `;`. What is not a role's ARN is skipped.
    ///
    /// # Errors
    /// `InvalidIdentityToken` for another type, and for a claim in which nothing is a role's ARN.
    pub fn of(claims: &Map<String, Value>) -> Result<Self, Fault> {
        let candidates: Vec<&str> = match claims.get(CLAIM) {
            None | Some(Value::Null) => return Ok(Self::Absent),
            Some(Value::String(text)) => text.split(';').collect(),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(_) => return Err(Fault::invalid_identity_token("The roles claim is not in a supported format")),
        };
        let valid: Vec<String> = candidates
            .into_iter()
            .map(str::trim)
            .filter(|text| RoleArn::parse(text).is_some())
            .map(str::to_owned)
            .collect();
        if valid.is_empty() {
            return Err(Fault::invalid_identity_token("The roles claim contains no valid role ARNs"));
        }
        Ok(Self::Listed(valid))
    }

    /// Whether the claim names the role of the call; this is `sts:RoleAuthorizedByIdp`.
    ///
    /// # Errors
    /// `InvalidIdentityToken` when it names others only.
    pub fn authorizes(&self, target: &str) -> Result<bool, Fault> {
        match self {
            Self::Absent => Ok(false),
            Self::Listed(roles) if roles.iter().any(|role| role == target) => Ok(true),
            Self::Listed(_) => Err(Fault::invalid_identity_token(
                "The target role ARN is not present in the roles claim of the identity token",
            )),
        }
    }
}
