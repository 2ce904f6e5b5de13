//! Verification of one proof (RFC 9449 §4.3), step by step, with nothing optional.

use std::borrow::Cow;

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, de::IgnoredAny};
use url::Url;

use super::{ALGORITHM, nonce};
use crate::identity::{
    jws::{CompactJws, base64url, json},
    secrets::Secrets,
};

/// The longest proof that is looked at, in bytes.
const MAX_LENGTH: usize = 4096;

/// The longest `jti`, in bytes.
const MAX_JTI_LENGTH: usize = 128;

/// How far the client's clock may be off. The nonce says when a proof was made; this bound only makes a wrong clock
/// known to its owner.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(300);

/// The request a proof must be made for.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedRequest<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its URL as clients know it: the issuer's own, never what a `Host` header says.
    pub url: &'a str,
    /// The session token it carries; `None` at the token endpoint.
    pub token: Option<&'a str>,
}

/// A proof that has been verified, except that it may have been taken before: see [`super::ReplayGuard`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// RFC 7638 thumbprint of the client's key: the `jkt` a session is bound to.
    pub thumbprint: String,
    /// Unique among the proofs of that key.
    pub jti: String,
}

/// Why a proof is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not a JWT of the required form.
    #[error("the DPoP proof is malformed: {0}")]
    Malformed(&'static str),
    /// The signature does not fit the key in the header.
    #[error("the signature of the DPoP proof is wrong")]
    Signature,
    /// `htm` names another method.
    #[error("the DPoP proof is for another HTTP method")]
    Method,
    /// `htu` names another URL.
    #[error("the DPoP proof is for another URL than {0}")]
    Url(String),
    /// The client's clock is off.
    #[error("the DPoP proof was made {} seconds {} the issuer's present time", .seconds.unsigned_abs(), if *.seconds < 0 { "before" } else { "after" })]
    Clock {
        /// Client minus issuer.
        seconds: i64,
    },
    /// No nonce, an expired one, one from before this process began, or one of another issuer.
    #[error("the DPoP proof needs the nonce of this answer")]
    Nonce,
    /// `ath` is absent or of another token.
    #[error("the DPoP proof is for another session token")]
    Token,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    jwk: Jwk<'a>,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Jwk<'a> {
    #[serde(borrow)]
    kty: Cow<'a, str>,
    #[serde(borrow)]
    crv: Cow<'a, str>,
    #[serde(borrow)]
    x: Cow<'a, str>,
    #[serde(borrow)]
    y: Cow<'a, str>,
    d: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims<'a> {
    jti: String,
    #[serde(borrow)]
    htm: Cow<'a, str>,
    #[serde(borrow)]
    htu: Cow<'a, str>,
    iat: f64,
    nonce: Option<String>,
    ath: Option<String>,
}

/// Verifies a proof for one request. `begun` is [`super::ReplayGuard::begun`] of the guard that will take it.
///
/// # Errors
/// The first rule of RFC 9449 §4.3 that it breaks. The signature is looked at last: what costs least refuses first.
pub fn verify(
    proof: &str,
    expected: &ExpectedRequest<'_>,
    secrets: &Secrets,
    begun: Timestamp,
    now: Timestamp,
) -> Result<Proof, ProofError> {
    if proof.len() > MAX_LENGTH {
        return Err(ProofError::Malformed("it is too long"));
    }
    let jws = CompactJws::split(proof).ok_or(ProofError::Malformed("it is no JWT"))?;
    let header = decode(jws.header)?;
    let header: Header<'_> =
        json(&header).ok_or(ProofError::Malformed("its header lacks typ, alg or a public jwk of type EC"))?;
    let key = public_key(&header)?;
    let claims = decode(jws.claims)?;
    let claims: Claims<'_> = json(&claims).ok_or(ProofError::Malformed("it lacks jti, htm, htu or iat"))?;
    check_claims(&claims, expected, secrets, begun, now)?;
    let signature = base64url(jws.signature).ok_or(ProofError::Signature)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.uncompressed)
        .verify(jws.signed.as_bytes(), &signature)
        .map_err(|_| ProofError::Signature)?;
    Ok(Proof { thumbprint: key.thumbprint, jti: claims.jti })
}

fn decode(part: &str) -> Result<Vec<u8>, ProofError> {
    base64url(part).ok_or(ProofError::Malformed("it is not base64url"))
}

struct PublicKey {
    /// SEC 1 §2.3.3, uncompressed.
    uncompressed: [u8; 65],
    thumbprint: String,
}

fn public_key(header: &Header<'_>) -> Result<PublicKey, ProofError> {
    let Header { typ, alg, jwk, crit } = header;
    if typ != "dpop+jwt" {
        return Err(ProofError::Malformed("its typ is not dpop+jwt"));
    }
    if alg != ALGORITHM {
        return Err(ProofError::Malformed("its alg is not ES256"));
    }
    if crit.is_some() {
        return Err(ProofError::Malformed("it has critical extensions, and none is known here"));
    }
    if jwk.d.is_some() {
        return Err(ProofError::Malformed("its jwk holds a private key"));
    }
    if jwk.kty != "EC" || jwk.crv != "P-256" {
        return Err(ProofError::Malformed("its jwk is not an EC key on P-256"));
    }
    let coordinates = base64url(&jwk.x).zip(base64url(&jwk.y));
    let uncompressed = coordinates
        .filter(|(x, y)| x.len() == 32 && y.len() == 32)
        .and_then(|(x, y)| [&[4], x.as_slice(), y.as_slice()].concat().try_into().ok())
        .ok_or(ProofError::Malformed("the coordinates of its jwk are not 32 bytes each"))?;
    // RFC 7638 §3.2: the required members in this order. Both coordinates are canonical base64url here.
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, jwk.x, jwk.y);
    let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()));
    Ok(PublicKey { uncompressed, thumbprint })
}

fn check_claims(
    claims: &Claims<'_>,
    expected: &ExpectedRequest<'_>,
    secrets: &Secrets,
    begun: Timestamp,
    now: Timestamp,
) -> Result<(), ProofError> {
    if claims.jti.is_empty() || claims.jti.len() > MAX_JTI_LENGTH {
        return Err(ProofError::Malformed("its jti is empty or too long"));
    }
    if claims.htm != expected.method.as_str() {
        return Err(ProofError::Method);
    }
    if !is_same_resource(&claims.htu, expected.url) {
        return Err(ProofError::Url(expected.url.to_owned()));
    }
    if !claims.nonce.as_deref().is_some_and(|nonce| nonce::is_current(secrets, nonce, begun, now)) {
        return Err(ProofError::Nonce);
    }
    let issued = SignedDuration::try_from_secs_f64(claims.iat)
        .ok()
        .and_then(|since_epoch| Timestamp::from_duration(since_epoch).ok())
        .ok_or(ProofError::Malformed("its iat is not a time"))?;
    let offset = issued.duration_since(now);
    if offset.abs() > CLOCK_TOLERANCE {
        return Err(ProofError::Clock { seconds: offset.as_secs() });
    }
    match (expected.token, claims.ath.as_deref()) {
        (None, _) => Ok(()),
        (Some(token), Some(hash)) if hash == URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())) => Ok(()),
        (Some(_), _) => Err(ProofError::Token),
    }
}

/// Compares after normalisation and without query and fragment (RFC 9449 §4.3, item 9). What is spelt alike needs none
/// of that.
fn is_same_resource(htu: &str, url: &str) -> bool {
    let resource = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    };
    htu == url || resource(htu).is_some_and(|htu| resource(url) == Some(htu))
}
