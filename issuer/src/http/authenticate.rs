//! Who makes a request: a DPoP proof at the token endpoint, a session token with its proof everywhere else.
//!
//! Every answer that looked at a proof carries a fresh nonce, so that a client that keeps talking never has to ask for
//! one.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    response::Response,
};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use serde::de::DeserializeOwned;
use uuid::Uuid;
use vouch_issuer_api::error::ErrorCode;

use super::{body::JsonBody, error::ApiError};
use crate::{
    config::Config,
    identity::{
        dpop::{self, ExpectedRequest, Proof, ProofError, ReplayError},
        refusal::sentence,
        session::{self, Ended, SessionClaims, TokenError},
    },
    state::{Issuer, SharedIssuer},
    store::Stored,
};

const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
const DATES: DateTimePrinter = DateTimePrinter::new();
const LOGIN_HINT: &str = "Run `vouch login`.";

/// A request with a valid session. A handler that takes one has an authenticated caller.
///
/// It takes the whole request, so that no handler can take a body beside it: a handler with a body takes
/// [`SessionWith`], which judges the session once the body is there.
#[derive(Debug, Clone)]
pub struct Session {
    /// The person, as read for this request.
    pub stored: Stored,
    /// What the token says.
    pub claims: SessionClaims,
    /// The security key the session began with.
    pub key: SessionKey,
    /// The configuration this request was judged by.
    pub config: Arc<Config>,
}

/// What is known of the security key of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKey {
    /// `KeyInfo::id`.
    pub id: String,
    /// Its model.
    pub aaguid: Option<Uuid>,
    /// Whether its maker was verified when it was enrolled.
    pub attested: bool,
}

impl FromRequest<SharedIssuer> for Session {
    type Rejection = ApiError;

    async fn from_request(request: Request, issuer: &SharedIssuer) -> Result<Self, ApiError> {
        Self::of_head(&request.into_parts().0, issuer).await
    }
}

/// A request with a valid session and a JSON body. The session is judged twice: before anything of the body is read, and
/// after it has arrived. A caller who holds the body back does nothing with a session that has ended meanwhile.
#[derive(Debug)]
pub struct SessionWith<T> {
    /// As it was when the body had arrived.
    pub session: Session,
    /// The body.
    pub body: T,
}

impl<T: DeserializeOwned + Send> FromRequest<SharedIssuer> for SessionWith<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, issuer: &SharedIssuer) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let session = Session::of_head(&parts, issuer).await?;
        let JsonBody(body) = JsonBody::from_request(Request::from_parts(parts, body), issuer).await?;
        Ok(Self { session: session.refreshed(issuer).await?, body })
    }
}

impl Session {
    async fn of_head(parts: &Parts, issuer: &SharedIssuer) -> Result<Self, ApiError> {
        let now = issuer.clock.now();
        let config = issuer.config.load_full();
        let token = bearer(&parts.headers)?;
        let published = |kid: &str| issuer.keys.verifying_key(kid);
        let claims = SessionClaims::verify(token, config.url.as_str(), published, config.session_lifetime, now)
            .map_err(token_refusal)?;
        let proof = verify_proof(issuer, &config, parts, Some(token), now)?;
        if proof.thumbprint != claims.thumbprint {
            return Err(ApiError::new(ErrorCode::InvalidDpopProof, "The session token belongs to another DPoP key."));
        }
        let stored = issuer.store.user(claims.user).await?.ok_or_else(|| ended(Ended::UserGone))?;
        let key = session::check(&claims, &stored.user, &config.organization).map_err(ended)?;
        let key = SessionKey { id: key.id.clone(), aaguid: key.aaguid, attested: key.attested };
        issuer.limits.account(claims.user)?;
        take(issuer, &proof, now)?;
        Ok(Self { stored, claims, key, config })
    }

    /// The session by the record and the configuration as they are now: since the head of its request was judged,
    /// somebody may have ended it.
    ///
    /// # Errors
    /// `session_ended` or `invalid_token` when it is over.
    pub(super) async fn refreshed(self, issuer: &Issuer) -> Result<Self, ApiError> {
        let config = issuer.config.load_full();
        let claims = self.claims.within(config.session_lifetime);
        if issuer.clock.now() >= claims.expires_at {
            return Err(token_refusal(TokenError::Expired));
        }
        let stored = issuer.store.user(claims.user).await?.ok_or_else(|| ended(Ended::UserGone))?;
        session::check(&claims, &stored.user, &config.organization).map_err(ended)?;
        Ok(Self { stored, claims, config, key: self.key })
    }
}

/// Verifies the one proof of a request.
///
/// # Errors
/// `use_dpop_nonce` when only the nonce is missing, else `invalid_dpop_proof`.
pub(super) fn verify_proof(
    issuer: &Issuer,
    config: &Config,
    parts: &Parts,
    token: Option<&str>,
    now: Timestamp,
) -> Result<Proof, ApiError> {
    let refusal = |reason: &str| ApiError::new(ErrorCode::InvalidDpopProof, reason);
    let mut proofs = parts.headers.get_all(DPOP).iter();
    let (Some(proof), None) = (proofs.next(), proofs.next()) else {
        return Err(refusal("The request needs exactly one DPoP proof, in the DPoP header."));
    };
    let proof = proof.to_str().map_err(|_| refusal("The DPoP proof is malformed."))?;
    let url = config.url.endpoint(parts.uri.path());
    let expected = ExpectedRequest { method: &parts.method, url: &url, token };
    let outcome = dpop::verify(proof, &expected, &issuer.secrets.load(), issuer.replay.begun(now), now);
    outcome.map_err(|error| proof_refusal(issuer, &error, now))
}

/// Takes a proof, once. Only for requests whose identity has been verified: others must not fill the memory.
pub(super) fn take(issuer: &Issuer, proof: &Proof, now: Timestamp) -> Result<(), ApiError> {
    issuer.replay.take(proof, now).map_err(|error| {
        let code = match error {
            ReplayError::Replayed => ErrorCode::InvalidDpopProof,
            ReplayError::Full => ErrorCode::Unavailable,
        };
        ApiError::new(code, sentence(&error.to_string())).hint("Try again.")
    })
}

fn proof_refusal(issuer: &Issuer, error: &ProofError, now: Timestamp) -> ApiError {
    let code = match error {
        ProofError::Nonce => ErrorCode::UseDpopNonce,
        _ => ErrorCode::InvalidDpopProof,
    };
    let mut refusal = ApiError::new(code, sentence(&error.to_string()));
    refusal.hint = match error {
        ProofError::Nonce => Some("Repeat the request with the nonce of the DPoP-Nonce header.".to_owned()),
        ProofError::Clock { .. } => Some("Set this machine's clock.".to_owned()),
        _ => None,
    };
    refusal.dpop_nonce = Some(dpop::fresh_nonce(&issuer.secrets.load(), now));
    refusal
}

/// The token of `Authorization: DPoP …` (RFC 9449 §7.1). A session token is never taken as a bearer token.
fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let refusal = |reason: &str| ApiError::new(ErrorCode::InvalidToken, reason).hint(LOGIN_HINT);
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refusal("The request needs a session token in the Authorization header."));
    };
    let text = value.to_str().ok().and_then(|value| value.split_once(' '));
    match text {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("DPoP") => Ok(token.trim_start()),
        _ => Err(refusal("The Authorization header must be `DPoP` and a session token.")),
    }
}

pub(super) fn token_refusal(error: TokenError) -> ApiError {
    ApiError::new(ErrorCode::InvalidToken, sentence(&error.to_string())).hint(LOGIN_HINT)
}

/// A session that was valid and is not any more.
pub(super) fn ended(reason: Ended) -> ApiError {
    let hint = match reason {
        Ended::Disabled | Ended::ForeignDomain | Ended::UserGone => "Ask an administrator.",
        Ended::KeyRemoved | Ended::LoggedOut => LOGIN_HINT,
    };
    ApiError::new(Ended::CODE, sentence(&reason.to_string())).hint(hint)
}

/// For every route that looks at a proof: answers carry a nonce for the next one.
pub(super) fn supply_nonce(issuer: &Issuer, response: &mut Response) {
    let nonce = dpop::fresh_nonce(&issuer.secrets.load(), issuer.clock.now());
    if let Ok(nonce) = HeaderValue::try_from(nonce) {
        response.headers_mut().entry(DPOP_NONCE).or_insert(nonce);
    }
}

/// For every route that agents ask before they make a proof, so that it is made by the issuer's clock. hyper's own `Date`
/// stands still after the clock was set back, until the clock has caught up.
pub(super) fn supply_time(issuer: &Issuer, response: &mut Response) {
    let date = DATES.timestamp_to_rfc9110_string(&issuer.clock.now());
    if let Some(date) = date.ok().and_then(|date| HeaderValue::try_from(date).ok()) {
        response.headers_mut().insert(header::DATE, date);
    }
}
