//! Refusals as HTTP answers.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use vouch_issuer_api::error::{ErrorBody, ErrorCode};
use vouch_keyring::{NoSigner, SignError};

use crate::{audit::TrailFault, store::StoreError};

/// A refusal. Handlers return it; the outermost layer adds the request id and counts it by code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// What kind.
    pub code: ErrorCode,
    /// One sentence for a person.
    pub description: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Seconds, for `Retry-After`.
    pub retry_after: Option<u64>,
    /// A fresh nonce, for `DPoP-Nonce`.
    pub dpop_nonce: Option<String>,
}

impl ApiError {
    /// A refusal without a hint.
    #[must_use]
    pub fn new(code: ErrorCode, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), hint: None, retry_after: None, dpop_nonce: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The status for a code; the token endpoint answers 400 where resources answer 401 (RFC 6749 §5.2).
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.code {
            ErrorCode::InvalidRequest
            | ErrorCode::InvalidGrant
            | ErrorCode::UnsupportedGrantType
            | ErrorCode::KeyUnknown
            | ErrorCode::KeyNotAccepted => StatusCode::BAD_REQUEST,
            ErrorCode::InvalidToken
            | ErrorCode::SessionEnded
            | ErrorCode::InvalidDpopProof
            | ErrorCode::UseDpopNonce => StatusCode::UNAUTHORIZED,
            ErrorCode::UserDisabled | ErrorCode::RoleNotAllowed | ErrorCode::InvitesOff => StatusCode::FORBIDDEN,
            ErrorCode::InviteUnknown | ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::InviteUsed | ErrorCode::InviteExpired => StatusCode::GONE,
            ErrorCode::KeyAlreadyEnrolled | ErrorCode::LastKey | ErrorCode::Conflict => StatusCode::CONFLICT,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => {
                Self::new(ErrorCode::Conflict, "Your record was changed at the same moment.").hint("Try again.")
            }
            StoreError::Missing => Self::new(ErrorCode::NotFound, "There is no such person any more."),
            StoreError::ReadOnly(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "store");
                let words =
                    "Nobody can sign in or change security keys at the moment: the issuer cannot write to its records.";
                Self::new(ErrorCode::Unavailable, words).hint("Sessions that have begun go on. Try again in a minute.")
            }
            other => {
                tracing::error!(error = &other as &dyn std::error::Error, "store");
                Self::new(ErrorCode::Unavailable, "The issuer cannot reach its records now.")
                    .hint("Try again in a minute.")
            }
        }
    }
}

impl From<TrailFault> for ApiError {
    /// The trail tells the log of it: once, and not for every request.
    fn from(fault: TrailFault) -> Self {
        let words = match fault {
            TrailFault::Unwritable(_) | TrailFault::Unread => "The issuer cannot write its audit trail now.",
            TrailFault::Crowded => "The issuer has too much to do now.",
        };
        Self::new(ErrorCode::Unavailable, words).hint("Try again in a minute.")
    }
}

impl From<NoSigner> for ApiError {
    fn from(error: NoSigner) -> Self {
        tracing::error!(%error, "nothing can be signed");
        Self::new(ErrorCode::Unavailable, "The issuer cannot sign anything now.").hint("Try again in a minute.")
    }
}

impl From<SignError> for ApiError {
    fn from(error: SignError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "signing failed");
        Self::new(ErrorCode::ServerError, "The issuer could not sign the token.").hint("Try again.")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.code,
            error_description: self.description.clone(),
            hint: self.hint.clone(),
            request_id: None,
        };
        let mut response = (self.status(), Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status() == StatusCode::UNAUTHORIZED
            && let Ok(value) = HeaderValue::from_str(&format!("DPoP error=\"{}\", algs=\"ES256\"", self.code))
        {
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(Ok(nonce)) = self.dpop_nonce.as_deref().map(HeaderValue::from_str) {
            headers.insert(HeaderName::from_static("dpop-nonce"), nonce);
        }
        // The outermost layer reads it back: it counts refusals by code and puts the request id into the body.
        response.extensions_mut().insert(self);
        response
    }
}
