//! What the issuer decides by: organization, sessions, keys, authenticators, enrollment, AWS, limits.

use kube::{KubeSchema, core::Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    duration::{self, Duration},
    schema,
};

/// Whose people an issuer vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// As people know it.
    #[schemars(schema_with = "schema::label")]
    pub name: String,
    /// Only people with an address in one of these domains can be invited. A subdomain is a domain of its own.
    #[schemars(schema_with = "schema::domains")]
    #[x_kube(validation = ("size(self) > 0", "must name at least one domain, such as example.com"))]
    pub email_domains: Vec<String>,
}

/// Sessions of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// From one touch to the next.
    #[serde(default = "defaults::session_lifetime")]
    #[schemars(transform = duration::between(Duration::minutes(5), Duration::hours(24)))]
    pub lifetime: Duration,
}

impl Default for Session {
    fn default() -> Self {
        Self { lifetime: defaults::session_lifetime() }
    }
}

/// A signature algorithm of RFC 7518.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

impl SigningAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 2] = [Self::Es256, Self::Rs256];

    /// The value of `alg`, as objects have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

/// The keys that sign tokens, and when they change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = lead_outlives_caches())]
#[x_kube(validation = rotations_do_not_overlap())]
pub struct SigningKeys {
    /// One key signs for each. RS256 may stand beside ES256, for relying parties that know no other.
    #[serde(default = "defaults::algorithms")]
    #[schemars(length(max = 2))]
    #[x_kube(validation = ("'ES256' in self", "must contain ES256; RS256 may be added beside it"))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Set)]
    pub algorithms: Vec<SigningAlgorithm>,
    /// How long a key signs.
    #[serde(default = "defaults::rotation_period")]
    pub rotation_period: Duration,
    /// How long a key is published before it signs.
    #[serde(default = "defaults::publish_lead")]
    #[schemars(transform = duration::at_least(Duration::minutes(15), ", longer than verifiers cache keys"))]
    pub publish_lead: Duration,
    /// How long a key stays published after it signed last.
    #[serde(default = "defaults::retain_retired")]
    pub retain_retired: Duration,
    /// How long verifiers may keep the key set (`max-age`).
    #[serde(default = "defaults::jwks_max_age")]
    #[schemars(transform = duration::between(Duration::seconds(10), Duration::hours(1)))]
    pub jwks_max_age: Duration,
}

impl Default for SigningKeys {
    fn default() -> Self {
        Self {
            algorithms: defaults::algorithms(),
            rotation_period: defaults::rotation_period(),
            publish_lead: defaults::publish_lead(),
            retain_retired: defaults::retain_retired(),
            jwks_max_age: defaults::jwks_max_age(),
        }
    }
}

fn lead_outlives_caches() -> Rule {
    duration::rule(
        &["self.publishLead", "self.jwksMaxAge"],
        "{self.publishLead} > {self.jwksMaxAge}",
        "must be longer than jwksMaxAge, or a verifier meets a key it has not read",
    )
    .field_path(".publishLead")
}

fn rotations_do_not_overlap() -> Rule {
    duration::rule(
        &["self.rotationPeriod", "self.publishLead", "self.retainRetired"],
        "{self.rotationPeriod} >= {self.publishLead} + {self.retainRetired}",
        "must be at least publishLead + retainRetired, so that one rotation ends before the next begins",
    )
    .field_path(".rotationPeriod")
}

/// Which security keys are accepted at enrollment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.policy != 'Attested' || has(self.attestationRoots)")
    .message("policy Attested needs attestationRoots: the certificates that attestations must lead to"))]
#[x_kube(validation = Rule::new("self.policy != 'Any' || !has(self.attestationRoots)")
    .message("policy Any looks at no attestation; remove attestationRoots, or choose Attested")
    .field_path(".attestationRoots"))]
#[x_kube(validation = Rule::new("self.policy != 'Any' || size(self.allowedAaguids) == 0")
    .message("policy Any cannot tell models apart, for nothing proves an AAGUID; choose YubiKey or Attested")
    .field_path(".allowedAaguids"))]
pub struct Authenticators {
    /// What a key must prove.
    #[serde(default)]
    pub policy: AuthenticatorPolicy,
    /// Only these models. Empty: every model that the policy accepts.
    #[serde(default)]
    #[schemars(schema_with = "schema::aaguids")]
    pub allowed_aaguids: Vec<String>,
    /// Certificates that attestations must lead to, in place of Yubico's, which are built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation_roots: Option<AttestationRoots>,
}

/// What a key must prove when it is enrolled. User verification is required under every policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum AuthenticatorPolicy {
    /// That it is a YubiKey.
    #[default]
    YubiKey,
    /// That its maker's certificate leads to one of `attestationRoots`.
    Attested,
    /// Nothing.
    Any,
}

/// Root certificates, in one of two places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.pem) != has(self.configMapRef)", "must have either pem or configMapRef"))]
pub struct AttestationRoots {
    /// Certificates as PEM text, one after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub pem: Option<String>,
    /// A ConfigMap with that PEM text; for an issuer that runs alone, a ConfigMap in the same file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<KeyRef>,
}

/// One key of a ConfigMap or Secret in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// The object's name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// The key in its data.
    #[schemars(schema_with = "schema::data_key")]
    pub key: String,
}

/// How people get their first key accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Enrollment {
    /// Administrators may make one-time invites.
    #[serde(default = "defaults::invites")]
    pub invites: bool,
    /// How long an invite can be redeemed.
    #[serde(default = "defaults::invite_lifetime")]
    #[schemars(transform = duration::between(Duration::minutes(5), Duration::days(30)))]
    pub invite_lifetime: Duration,
}

impl Default for Enrollment {
    fn default() -> Self {
        Self { invites: defaults::invites(), invite_lifetime: defaults::invite_lifetime() }
    }
}

/// AWS credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Aws {
    /// How long an assertion for AWS is valid. AWS takes it for 5m longer, and it does not bound the session
    /// that it buys.
    #[serde(default = "defaults::token_lifetime")]
    #[schemars(transform = duration::between(Duration::minutes(1), Duration::minutes(5)))]
    pub token_lifetime: Duration,
    /// Roles in accounts that no federation governs.
    #[serde(default)]
    pub ungoverned_accounts: UngovernedAccounts,
    /// How the session tags for e-mail and domain are spelt.
    #[serde(default)]
    pub session_tag_keys: SessionTagKeys,
}

impl Default for Aws {
    fn default() -> Self {
        Self {
            token_lifetime: defaults::token_lifetime(),
            ungoverned_accounts: UngovernedAccounts::default(),
            session_tag_keys: SessionTagKeys::default(),
        }
    }
}

/// Whether assertions are issued for accounts that no `AwsFederation` governs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum UngovernedAccounts {
    /// Yes; the trust policies of such an account decide.
    #[default]
    Allow,
    /// No.
    Deny,
}

/// Spelling of the session tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum SessionTagKeys {
    /// `vouch:Email`, `vouch:Domain`, `email` and `domain`.
    #[default]
    Both,
    /// `vouch:Email` and `vouch:Domain`.
    Prefixed,
    /// `email` and `domain`.
    Plain,
}

/// How many requests are answered before `429 Too Many Requests`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimits {
    /// For one source address.
    #[serde(default = "defaults::per_client")]
    pub per_client: RateLimit,
    /// For one signed-in person.
    #[serde(default = "defaults::per_user")]
    pub per_user: RateLimit,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { per_client: defaults::per_client(), per_user: defaults::per_user() }
    }
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// How fast the bucket fills.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_minute: u32,
    /// How many it holds.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: u32,
}

/// The public HTTP listener.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    #[serde(default)]
    #[schemars(schema_with = "schema::networks")]
    pub trusted_proxies: Vec<String>,
}

/// What holds when a manifest says nothing. The schema shows these values, and an API server writes them into objects.
mod defaults {
    use super::{Duration, RateLimit, SigningAlgorithm};

    pub(super) const fn session_lifetime() -> Duration {
        Duration::hours(8)
    }

    pub(super) fn algorithms() -> Vec<SigningAlgorithm> {
        vec![SigningAlgorithm::Es256]
    }

    pub(super) const fn rotation_period() -> Duration {
        Duration::days(30)
    }

    pub(super) const fn publish_lead() -> Duration {
        Duration::hours(24)
    }

    pub(super) const fn retain_retired() -> Duration {
        Duration::hours(24)
    }

    pub(super) const fn jwks_max_age() -> Duration {
        Duration::seconds(60)
    }

    pub(super) const fn invites() -> bool {
        true
    }

    pub(super) const fn invite_lifetime() -> Duration {
        Duration::hours(72)
    }

    pub(super) const fn token_lifetime() -> Duration {
        Duration::minutes(1)
    }

    pub(super) const fn per_client() -> RateLimit {
        RateLimit { requests_per_minute: 600, burst: 200 }
    }

    pub(super) const fn per_user() -> RateLimit {
        RateLimit { requests_per_minute: 300, burst: 100 }
    }
}
