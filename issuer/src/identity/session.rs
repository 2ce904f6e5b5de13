//! Session tokens: what a verified assertion is traded for.
//!
//! A token is bound to a DPoP key, to the security key that was tapped, and to the person's record as it is now: it is
//! worth nothing without the first, and ends with either of the others. It must never be mistaken for a token for AWS
//! or for an application, nor one of those for it: type, audience and issuer are compared exactly.

use std::{borrow::Cow, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use uuid::Uuid;
use vouch_issuer_api::{error::ErrorCode, session::SessionInfo};
use vouch_keyring::{Algorithm, SignError, Signer};

use super::jws::{CompactJws, base64url, json};
use crate::{
    config::Organization,
    keys::PublishedKey,
    store::record::{EnrolledKey, UserId, UserRecord},
};

/// `typ` of the header (RFC 8725 §3.11).
pub const TYPE: &str = "vouch-session+jwt";

/// `aud`: nobody but this issuer. No identity provider in AWS has it as a client id.
pub const AUDIENCE: &str = "urn:vouch:session";

/// The longest token that is looked at, in bytes.
const MAX_LENGTH: usize = 4096;

/// What a session token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionClaims {
    /// Whose session.
    pub user: UserId,
    /// The security key that was tapped: [`EnrolledKey::id`].
    pub key: String,
    /// The DPoP key it is bound to: its RFC 7638 thumbprint.
    pub thumbprint: String,
    /// When the key was tapped, to the nanosecond: what a logout everywhere is compared with.
    pub began_at: Timestamp,
    /// When it ends by itself; whole seconds.
    pub expires_at: Timestamp,
}

/// Why a token is not a session of this issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of the required form.
    #[error("this is not a session token of this issuer")]
    Foreign,
    /// Signed by a key that is not published (any more).
    #[error("the session token is signed by a key that is not in use any more")]
    UnknownKey,
    /// Altered, or made by somebody else.
    #[error("the signature of the session token is wrong")]
    Signature,
    /// Its time is over.
    #[error("the session has expired")]
    Expired,
}

/// Why a session that was valid is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// There is no such person any more.
    #[error("the account of this session does not exist any more")]
    UserGone,
    /// The person is disabled.
    #[error("this account is disabled")]
    Disabled,
    /// The organisation does not own the person's domain any more.
    #[error("the e-mail address of this account is in no domain of the organization any more")]
    ForeignDomain,
    /// The key it began with has been removed.
    #[error("the security key of this session has been removed")]
    KeyRemoved,
    /// All sessions have been ended.
    #[error("every session of this account was ended")]
    LoggedOut,
}

impl Ended {
    /// Always the same: a client asks for a new login whatever the reason.
    pub const CODE: ErrorCode = ErrorCode::SessionEnded;
}

#[derive(Serialize, Deserialize)]
struct Confirmation {
    jkt: String,
}

#[derive(Serialize, Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Cow<'a, str>,
    sub: Uuid,
    iat: i64,
    exp: i64,
    jti: Uuid,
    /// RFC 9449 §6.1.
    cnf: Confirmation,
    key: String,
    began_at: Timestamp,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    kid: Cow<'a, str>,
    crit: Option<IgnoredAny>,
}

impl SessionClaims {
    /// A session that begins at `began_at`.
    #[must_use]
    pub fn begin(user: UserId, key: &str, thumbprint: String, began_at: Timestamp, lifetime: Duration) -> Self {
        Self { user, key: key.to_owned(), thumbprint, began_at, expires_at: end(began_at, lifetime) }
    }

    /// The session by a lifetime that may have been shortened since it began; it is never lengthened.
    #[must_use]
    pub fn within(mut self, lifetime: Duration) -> Self {
        self.expires_at = self.expires_at.min(end(self.began_at, lifetime));
        self
    }

    /// Signs the token.
    ///
    /// # Errors
    /// When signing fails.
    pub fn sign(&self, signer: &Signer, issuer: &str) -> Result<String, SignError> {
        let claims = Claims {
            iss: issuer.into(),
            aud: AUDIENCE.into(),
            sub: self.user.0,
            iat: self.began_at.as_second(),
            exp: self.expires_at.as_second(),
            jti: Uuid::new_v4(),
            cnf: Confirmation { jkt: self.thumbprint.clone() },
            key: self.key.clone(),
            began_at: self.began_at,
        };
        signer.sign_jwt(Some(TYPE), &claims)
    }

    /// Verifies a token, all but the record of its person: see [`check`]. `published` finds a published key by its id;
    /// `lifetime` is the one in force, so that shortening it shortens the sessions that exist.
    ///
    /// # Errors
    /// Why it is no session of this issuer now.
    pub fn verify(
        token: &str,
        issuer: &str,
        published: impl FnOnce(&str) -> Option<Arc<PublishedKey>>,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Self, TokenError> {
        if token.len() > MAX_LENGTH {
            return Err(TokenError::Foreign);
        }
        let jws = CompactJws::split(token).ok_or(TokenError::Foreign)?;
        let header = base64url(jws.header).ok_or(TokenError::Foreign)?;
        let header: Header<'_> = json(&header).ok_or(TokenError::Foreign)?;
        if header.typ != TYPE || header.alg != Algorithm::Es256.as_str() || header.crit.is_some() {
            return Err(TokenError::Foreign);
        }
        let key = published(&header.kid).ok_or(TokenError::UnknownKey)?;
        let signature = base64url(jws.signature).ok_or(TokenError::Foreign)?;
        if !key.verifies(Algorithm::Es256, jws.signed.as_bytes(), &signature) {
            return Err(TokenError::Signature);
        }
        let claims = base64url(jws.claims).ok_or(TokenError::Foreign)?;
        let claims: Claims<'_> = json(&claims).ok_or(TokenError::Foreign)?;
        if claims.iss != issuer || claims.aud != AUDIENCE {
            return Err(TokenError::Foreign);
        }
        let expires_at = Timestamp::from_second(claims.exp).map_err(|_| TokenError::Foreign)?;
        let expires_at = expires_at.min(end(claims.began_at, lifetime));
        if now >= expires_at {
            return Err(TokenError::Expired);
        }
        Ok(Self {
            user: UserId(claims.sub),
            key: claims.key,
            thumbprint: claims.cnf.jkt,
            began_at: claims.began_at,
            expires_at,
        })
    }

    /// The session as its person sees it.
    #[must_use]
    pub fn info(&self, user: &UserRecord, key: &EnrolledKey, organization: &str) -> SessionInfo {
        SessionInfo {
            user_id: user.id.0,
            email: user.email.to_string(),
            organization: organization.to_owned(),
            signed_in_at: self.began_at,
            expires_at: self.expires_at,
            key_id: key.id.clone(),
            key_name: key.name.clone(),
        }
    }
}

/// Compares a session with the record of its person as it is now, and with the organisation as it is configured now.
///
/// # Errors
/// Why the session is over.
pub fn check<'a>(
    session: &SessionClaims,
    user: &'a UserRecord,
    organization: &Organization,
) -> Result<&'a EnrolledKey, Ended> {
    if user.id != session.user {
        return Err(Ended::UserGone);
    }
    if user.disabled {
        return Err(Ended::Disabled);
    }
    if !organization.contains(&user.email) {
        return Err(Ended::ForeignDomain);
    }
    if session.began_at < user.sessions_valid_from {
        return Err(Ended::LoggedOut);
    }
    user.key(&session.key).ok_or(Ended::KeyRemoved)
}

/// In whole seconds, which is what a token can say.
fn end(began_at: Timestamp, lifetime: Duration) -> Timestamp {
    let end = began_at.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
    Timestamp::from_second(end.as_second()).unwrap_or(end)
}

#[cfg(test)]
mod tests;
