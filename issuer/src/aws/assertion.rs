//! The assertion that AWS trades for credentials (`AssumeRoleWithWebIdentity`).
//!
//! It carries exactly what AWS understands, and nothing that would change the meaning of the rest: `aud` is one string
//! (a list needs `azp`), there is no `azp` (it would replace `aud`) and no `amr`, and times are whole seconds (AWS
//! refuses fractions). The `roles` claim pins it to one role, which AWS judges before the trust policy.

use std::time::Duration;

use crate::config::SessionTagKeys;
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};
use uuid::Uuid;
use vouch_iam::{arn::RoleArn, identity::EmailAddress};
use vouch_keyring::{SignError, Signer};

use super::authorize::AuthorizedRole;

/// How far `iat` and `nbf` lie back, for verifiers whose clocks are behind.
const BACK_DATED: Duration = Duration::from_secs(60);

/// The longest life, whatever the policy says: AWS accepts the token for another 300 s after it.
const LONGEST_LIFE: Duration = Duration::from_secs(300);

/// What an assertion says of a person's security key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardware {
    /// Whether its maker was proven when it was enrolled.
    pub attested: bool,
    /// Its model.
    pub aaguid: Option<Uuid>,
}

/// How assertions are made, by the configuration.
#[derive(Debug, Clone, Copy)]
pub struct AssertionPolicy<'a> {
    /// `iss` and `aud`: the issuer's URL, byte for byte.
    pub issuer: &'a str,
    /// From now to `exp`; at most 5 minutes.
    pub lifetime: Duration,
    /// How the session tags are spelt.
    pub tag_keys: SessionTagKeys,
}

/// A signed assertion.
#[derive(Clone)]
pub struct Assertion {
    /// The compact JWT.
    pub token: String,
    /// Its id.
    pub jti: Uuid,
    /// Its `exp`.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Assertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assertion")
            .field("jti", &self.jti)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a EmailAddress,
    aud: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
    email: &'a EmailAddress,
    email_verified: bool,
    hd: &'a str,
    hardware_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hardware_aaguid: Option<Uuid>,
    #[serde(rename = "https://aws.amazon.com/source_identity")]
    source_identity: &'a EmailAddress,
    #[serde(rename = "https://aws.amazon.com/roles")]
    roles: [&'a RoleArn; 1],
    #[serde(rename = "https://aws.amazon.com/tags")]
    tags: Tags<'a>,
}

#[derive(Serialize)]
struct Tags<'a> {
    principal_tags: PrincipalTags<'a>,
    /// Every key: a spoke's trust policy sees only what is transitive.
    transitive_tag_keys: &'static [&'static str],
}

struct PrincipalTags<'a> {
    keys: &'static [&'static str],
    email: &'a str,
    domain: &'a str,
}

impl Serialize for PrincipalTags<'_> {
    /// AWS takes a list of exactly one value for each key.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.keys.len()))?;
        for key in self.keys {
            let value = if key.to_ascii_lowercase().ends_with("email") { self.email } else { self.domain };
            map.serialize_entry(key, &[value])?;
        }
        map.end()
    }
}

const fn tag_keys(keys: SessionTagKeys) -> &'static [&'static str] {
    match keys {
        SessionTagKeys::Both => &["vouch:Email", "vouch:Domain", "email", "domain"],
        SessionTagKeys::Prefixed => &["vouch:Email", "vouch:Domain"],
        SessionTagKeys::Plain => &["email", "domain"],
    }
}

/// Signs an assertion for the first role of an authorized chain. Only the authorization check makes an
/// [`AuthorizedRole`], so nothing is minted without it.
///
/// # Errors
/// When signing fails.
pub fn mint(
    signer: &Signer,
    policy: &AssertionPolicy<'_>,
    role: &AuthorizedRole,
    hardware: Hardware,
    now: Timestamp,
) -> Result<Assertion, SignError> {
    let email = role.email();
    let issued_at = now.as_second() - BACK_DATED.as_secs().cast_signed();
    let lifetime = policy.lifetime.min(LONGEST_LIFE);
    let exp = now.as_second().saturating_add_unsigned(lifetime.as_secs());
    let jti = Uuid::new_v4();
    let keys = tag_keys(policy.tag_keys);
    let claims = Claims {
        iss: policy.issuer,
        sub: email,
        aud: policy.issuer,
        iat: issued_at,
        nbf: issued_at,
        exp,
        jti,
        email,
        email_verified: true,
        hd: email.domain(),
        hardware_verified: hardware.attested,
        hardware_aaguid: hardware.aaguid,
        source_identity: email,
        roles: [role.first()],
        tags: Tags {
            principal_tags: PrincipalTags { keys, email: email.as_str(), domain: email.domain() },
            transitive_tag_keys: keys,
        },
    };
    let token = signer.sign_jwt(Some("JWT"), &claims)?;
    Ok(Assertion { token, jti, expires_at: Timestamp::from_second(exp).unwrap_or(Timestamp::MAX) })
}
