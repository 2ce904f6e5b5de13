//! Errors as clients see them: the body of RFC 6749 §5.2, with a closed set of codes and a hint.

use serde::{Deserialize, Serialize};

/// The JSON body of every refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What kind of refusal this is. Programs decide by this, never by text.
    pub error: ErrorCode,
    /// One sentence for a person: what was refused, and why when it is known.
    pub error_description: String,
    /// What the person can do next, as an imperative sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Finds the audit line of this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// The closed set of refusals.
///
/// `invalid_request`, `invalid_grant`, `unsupported_grant_type` are RFC 6749 §5.2; `invalid_token` is RFC 6750 §3.1;
/// `invalid_dpop_proof` and `use_dpop_nonce` are RFC 9449 §5 and §8; the others are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request is malformed.
    InvalidRequest,
    /// The assertion or its challenge is wrong, expired or used.
    InvalidGrant,
    /// The grant type is not offered.
    UnsupportedGrantType,
    /// No session token, or one that is not valid here.
    InvalidToken,
    /// The session was valid and has been ended (logout everywhere, disabled, key removed).
    SessionEnded,
    /// The DPoP proof does not fit the request or the token.
    InvalidDpopProof,
    /// The proof must carry the nonce of the `DPoP-Nonce` header; try again with it.
    UseDpopNonce,
    /// No such invite.
    InviteUnknown,
    /// The invite has been redeemed.
    InviteUsed,
    /// The invite's time is over.
    InviteExpired,
    /// The issuer takes no invites (any more), whoever has one.
    InvitesOff,
    /// The authenticator policy does not accept this key.
    KeyNotAccepted,
    /// This key is enrolled already.
    KeyAlreadyEnrolled,
    /// The assertion is by a key nobody enrolled here.
    KeyUnknown,
    /// Removing the last key needs to be asked for.
    LastKey,
    /// The person is disabled.
    UserDisabled,
    /// The issuer's policy does not allow this person this role.
    RoleNotAllowed,
    /// The thing named in the request does not exist.
    NotFound,
    /// Somebody else changed the record meanwhile; try again.
    Conflict,
    /// Too many requests; see `Retry-After`.
    RateLimited,
    /// The issuer cannot do this now (store, keys); try again.
    Unavailable,
    /// A fault of the issuer.
    ServerError,
}

impl ErrorCode {
    /// The code as it travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidGrant => "invalid_grant",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidToken => "invalid_token",
            Self::SessionEnded => "session_ended",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::InviteUnknown => "invite_unknown",
            Self::InviteUsed => "invite_used",
            Self::InviteExpired => "invite_expired",
            Self::InvitesOff => "invites_off",
            Self::KeyNotAccepted => "key_not_accepted",
            Self::KeyAlreadyEnrolled => "key_already_enrolled",
            Self::KeyUnknown => "key_unknown",
            Self::LastKey => "last_key",
            Self::UserDisabled => "user_disabled",
            Self::RoleNotAllowed => "role_not_allowed",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::ServerError => "server_error",
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    #[test]
    fn the_wire_name_of_a_code_is_its_text() {
        for code in [
            ErrorCode::InvalidGrant,
            ErrorCode::UseDpopNonce,
            ErrorCode::RoleNotAllowed,
            ErrorCode::KeyAlreadyEnrolled,
            ErrorCode::InvitesOff,
        ] {
            let json = serde_json::to_value(code).ok();
            assert_eq!(json, Some(serde_json::Value::from(code.as_str())));
        }
    }
}
