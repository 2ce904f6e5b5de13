//! AWS: an assertion for one role, and the catalogue of roles.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vouch_iam::arn::RoleArn;

/// Body of `POST /v1/aws/token`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsTokenRequest {
    /// The role the person wants in the end.
    pub role: RoleArn,
    /// The hub to go through, in an account that no federation governs. A governed role has its hub in the catalogue,
    /// and a `via` that differs from it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<RoleArn>,
}

/// Answer of `POST /v1/aws/token`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsTokenResponse {
    /// For `AssumeRoleWithWebIdentity` on the first role of `chain`, and only there.
    pub web_identity_token: String,
    /// When AWS stops taking the token (without its 300 s of grace).
    pub expires_at: Timestamp,
    /// The roles to assume in order: one, or a hub and then the role asked for.
    pub chain: Vec<RoleArn>,
    /// `RoleSessionName` at every step.
    pub session_name: String,
}

impl std::fmt::Debug for AwsTokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsTokenResponse")
            .field("expires_at", &self.expires_at)
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}

/// Query of `GET /v1/aws/roles`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsRolesQuery {
    /// A role to be told about in [`AwsRoleList::refusal`], listed or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleArn>,
    /// As [`AwsTokenRequest::via`], for that role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<RoleArn>,
}

/// Answer of `GET /v1/aws/roles`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsRoleList {
    /// Sorted by account, then name. Roles of accounts that no federation governs are not known and not listed.
    pub roles: Vec<AwsRole>,
    /// Why `POST /v1/aws/token` would refuse [`AwsRolesQuery::role`] to the caller, as a sentence without its full stop;
    /// absent: it would not, or none was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// One role the caller may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsRole {
    /// The role.
    pub role: RoleArn,
    /// The federation that governs it, as `namespace/name` or `name`.
    pub federation: String,
    /// The hub it is reached through; absent: directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<RoleArn>,
    /// Longest session, in seconds; 3600 for a role reached through a hub (AWS caps chained roles).
    pub max_session_seconds: u32,
}
