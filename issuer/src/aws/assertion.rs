//! The assertion that AWS trades for credentials (`AssumeRoleWithWebIdentity`).
//!
//! It carries exactly what AWS understands, and nothing that would change the meaning of the rest: `aud` is one string
//! (a list needs `azp`), there is no `azp` (it would replace `aud`) and no `amr`, and times are whole seconds (AWS
//! refuses fractions). The `roles` claim pins it to one role, which AWS judges before the trust policy.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;
use vouch_iam::{arn::RoleArn, identity::EmailAddress};
use vouch_keyring::{SignError, Signer};

use super::authorize::AuthorizedRole;
use crate::config::SessionTagKeys;

/// How far `iat` and `nbf` lie back, for verifiers whose clocks are behind.
const BACK_DATED: Duration = Duration::from_secs(60);

/// The longest life, whatever the policy says: AWS accepts the token for another 300 s after it.
const LONGEST_LIFE: Duration = Duration::from_secs(300);

/// What an assertion says of the person's security key.
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
    /// How the session tags with e-mail and domain are spelt.
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
    /// AWS takes a list of exactly one value for each key.
    principal_tags: BTreeMap<&'static str, [String; 1]>,
    /// Every key: a spoke's trust policy sees only what is transitive.
    transitive_tag_keys: &'a [&'static str],
}

/// The session tag with the role that was asked for and granted, the last of the chain. Whoever holds the hub's
/// credentials could assume every spoke whose trust policy knows only e-mails and domains; a trust policy that compares
/// this tag with its own role admits only whom the issuer meant, groups included.
const ROLE_TAG: &str = "vouch:Role";

fn session_tags(role: &AuthorizedRole, keys: SessionTagKeys) -> Vec<(&'static str, String)> {
    let email = || role.email().as_str().to_owned();
    let domain = || role.email().domain().to_owned();
    let prefixed = [("vouch:Email", email()), ("vouch:Domain", domain())];
    let plain = [("email", email()), ("domain", domain())];
    let mut tags = match keys {
        SessionTagKeys::Both => [prefixed, plain].concat(),
        SessionTagKeys::Prefixed => prefixed.to_vec(),
        SessionTagKeys::Plain => plain.to_vec(),
    };
    let destination = role.role().to_string();
    // A role may have a comma in its name and a tag value may not. Without the tag, a trust policy that asks for it
    // refuses.
    if !destination.contains(',') {
        tags.push((ROLE_TAG, destination));
    }
    tags
}

/// Signs an assertion about the person of an [`AuthorizedRole`], for the first role of its chain. Only the
/// authorization check makes one, so nothing is minted without it, and nothing for anybody else.
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
    let tags = session_tags(role, policy.tag_keys);
    let transitive: Vec<_> = tags.iter().map(|(key, _)| *key).collect();
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
        // A model that nobody vouches for is what the client says it is.
        hardware_aaguid: hardware.aaguid.filter(|_| hardware.attested),
        source_identity: email,
        roles: [role.first_hop()],
        tags: Tags {
            principal_tags: tags.into_iter().map(|(key, value)| (key, [value])).collect(),
            transitive_tag_keys: &transitive,
        },
    };
    let token = signer.sign_jwt(Some("JWT"), &claims)?;
    Ok(Assertion { token, jti, expires_at: Timestamp::from_second(exp).unwrap_or(Timestamp::MAX) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};
    use vouch_keyring::{Algorithm, ChangeContext, KeyPolicy, KeyPolicySettings, KeySet, SystemKeyGenerator};

    use super::*;
    use crate::{
        aws::{authorize::Person, catalogue::Catalogue},
        config::UngovernedAccounts,
    };

    const HUB: &str = "arn:aws:iam::999999999999:role/vouch/VouchAccess";
    const SPOKE: &str = "arn:aws:iam::111111111111:role/vouch/VouchAccess";

    fn now() -> Timestamp {
        "2026-11-21T09:00:00.75Z".parse().unwrap()
    }

    fn signer() -> Signer {
        let policy = KeyPolicy::new(KeyPolicySettings {
            algorithms: [Algorithm::Es256].into(),
            rotation_period: Duration::from_secs(3600),
            publish_lead: Duration::from_secs(60),
            retain_retired: Duration::ZERO,
            max_token_lifetime: Duration::from_secs(60),
        })
        .unwrap();
        let context = ChangeContext { policy: &policy, generator: &SystemKeyGenerator, now: now() };
        KeySet::initialize(&context).unwrap().0.signer(Algorithm::Es256, &policy).unwrap()
    }

    fn parts(lifetime: u64, tag_keys: SessionTagKeys) -> (Value, Value, Assertion) {
        parts_about(Hardware { attested: true, aaguid: Some(Uuid::from_u128(7)) }, lifetime, tag_keys)
    }

    fn parts_about(hardware: Hardware, lifetime: u64, tag_keys: SessionTagKeys) -> (Value, Value, Assertion) {
        let email: EmailAddress = "alice@example.com".parse().unwrap();
        let catalogue = Catalogue::new(&[], UngovernedAccounts::Allow);
        let (role, via) = (SPOKE.parse().unwrap(), HUB.parse().unwrap());
        let role = catalogue.authorize(&Person { email: &email, groups: &[] }, &role, Some(&via)).unwrap();
        let policy =
            AssertionPolicy { issuer: "https://vouch.example.com", lifetime: Duration::from_secs(lifetime), tag_keys };
        let assertion = mint(&signer(), &policy, &role, hardware, now()).unwrap();
        let part = |index: usize| {
            let part = assertion.token.split('.').nth(index).unwrap();
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        (part(0), part(1), assertion)
    }

    #[test]
    fn carries_exactly_the_claims_that_aws_understands() {
        let (header, claims, assertion) = parts(60, SessionTagKeys::Both);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("JWT"), &json!("ES256")));
        assert_eq!(header["kid"].as_str().unwrap().len(), 43);
        let at = now().as_second();
        let expected = json!({
            "iss": "https://vouch.example.com",
            "sub": "alice@example.com",
            "aud": "https://vouch.example.com",
            "iat": at - 60,
            "nbf": at - 60,
            "exp": at + 60,
            "jti": assertion.jti,
            "email": "alice@example.com",
            "email_verified": true,
            "hd": "example.com",
            "hardware_verified": true,
            "hardware_aaguid": Uuid::from_u128(7),
            "https://aws.amazon.com/source_identity": "alice@example.com",
            "https://aws.amazon.com/roles": [HUB],
            "https://aws.amazon.com/tags": {
                "principal_tags": {
                    "vouch:Email": ["alice@example.com"],
                    "vouch:Domain": ["example.com"],
                    "email": ["alice@example.com"],
                    "domain": ["example.com"],
                    "vouch:Role": [SPOKE],
                },
                "transitive_tag_keys": ["vouch:Email", "vouch:Domain", "email", "domain", "vouch:Role"],
            },
        });
        assert_eq!(claims, expected);
        assert_eq!(assertion.expires_at.as_second(), at + 60);
    }

    #[test]
    fn says_nothing_of_a_model_that_was_not_attested() {
        let hardware = Hardware { attested: false, aaguid: Some(Uuid::from_u128(7)) };
        let (_, claims, _) = parts_about(hardware, 60, SessionTagKeys::Both);
        assert_eq!((&claims["hardware_verified"], claims.get("hardware_aaguid")), (&json!(false), None));
    }

    #[test]
    fn the_tag_keys_are_spelt_as_configured_and_all_of_them_are_transitive() {
        for (keys, spelling) in
            [(SessionTagKeys::Prefixed, ["vouch:Email", "vouch:Domain"]), (SessionTagKeys::Plain, ["email", "domain"])]
        {
            let (_, claims, _) = parts(60, keys);
            let tags = &claims["https://aws.amazon.com/tags"];
            assert_eq!(tags["transitive_tag_keys"], json!([spelling[0], spelling[1], "vouch:Role"]));
            let expected =
                json!({spelling[0]: ["alice@example.com"], spelling[1]: ["example.com"], "vouch:Role": [SPOKE]});
            assert_eq!(tags["principal_tags"], expected);
        }
    }

    #[test]
    fn never_lives_longer_than_five_minutes() {
        let (_, claims, _) = parts(86_400, SessionTagKeys::Both);
        assert_eq!(claims["exp"].as_i64().unwrap(), now().as_second() + 300);
    }

    #[test]
    fn two_assertions_have_different_ids() {
        assert_ne!(parts(60, SessionTagKeys::Both).2.jti, parts(60, SessionTagKeys::Both).2.jti);
    }

    #[test]
    fn debug_output_does_not_show_the_token() {
        let (_, _, assertion) = parts(60, SessionTagKeys::Both);
        assert!(!format!("{assertion:?}").contains(&assertion.token[..40]));
    }
}
