//! The configuration in force, as validated values. Everything an issuer decides by is here, parsed once.

use std::{num::NonZeroU32, time::Duration};

use ipnet::IpNet;
use rustls_pki_types::CertificateDer;
use uuid::Uuid;
use vouch_iam::identity::{EmailAddress, EmailDomain};
use vouch_keyring::KeyPolicy;

pub use vouch_crds::{
    client::Scope,
    issuer::{SessionTagKeys, UngovernedAccounts},
};

use super::{federation::Federation, url::IssuerUrl};

/// What one issuer is told to do.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name of the `VouchIssuer` object.
    pub name: String,
    /// Its namespace, when it names one.
    pub namespace: Option<String>,
    /// The exact `iss`.
    pub url: IssuerUrl,
    /// Whose people the issuer vouches for.
    pub organization: Organization,
    /// How long a session lasts; 5 minutes to 24 hours.
    pub session_lifetime: Duration,
    /// When signing keys change.
    pub key_policy: KeyPolicy,
    /// How long verifiers may keep the key set.
    pub jwks_max_age: Duration,
    /// Which security keys are accepted.
    pub authenticators: Authenticators,
    /// How people get their first key accepted.
    pub enrollment: Enrollment,
    /// AWS credentials.
    pub aws: AwsSettings,
    /// How many requests are answered.
    pub rate_limits: RateLimits,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Which people may take which roles, in the order of the manifest.
    pub federations: Vec<Federation>,
    /// People whom the manifest declares.
    pub users: Vec<DeclaredUser>,
    /// Applications that sign people in.
    pub clients: Vec<Client>,
    /// What a newer definition has in the objects and this program does not know, one sentence each.
    pub unknown: Vec<String>,
}

/// Whose people an issuer vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// As people know it.
    pub name: String,
    /// At least one. Only people with an address in one of these can be invited.
    pub email_domains: Vec<EmailDomain>,
}

impl Organization {
    /// Whether a person with this address belongs here.
    #[must_use]
    pub fn contains(&self, email: &EmailAddress) -> bool {
        self.email_domains.iter().any(|domain| domain.contains(email))
    }
}

/// Which security keys are accepted at enrollment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticators {
    /// What a key must prove.
    pub policy: AuthenticatorPolicy,
    /// Only these models; empty: every model that the policy accepts.
    pub allowed_aaguids: Vec<Uuid>,
}

/// What a key must prove when it is enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthenticatorPolicy {
    /// That it is a YubiKey, by a certificate that leads to one of these roots; `None`: to one of Yubico's, which are
    /// built in.
    YubiKey(Option<AttestationRoots>),
    /// Who made it, by a certificate that leads to one of these roots.
    Attested(AttestationRoots),
    /// Nothing.
    Any,
}

impl Config {
    /// What is declared and has no effect in this release: for whoever checks or starts it, one sentence each.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let of = |client: &Client| {
            let id = &client.id;
            format!(
                "OidcClient {id} has no effect: this release signs nobody in to applications (no authorization endpoint)"
            )
        };
        self.clients.iter().map(of).chain(self.unknown.iter().cloned()).collect()
    }
}

/// Certificates that attestations must lead to; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationRoots(Vec<CertificateDer<'static>>);

impl AttestationRoots {
    pub(super) fn new(certificates: Vec<CertificateDer<'static>>) -> Option<Self> {
        (!certificates.is_empty()).then_some(Self(certificates))
    }

    /// The certificates.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0
    }
}

/// How people get their first key accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrollment {
    /// Administrators may make one-time invites.
    pub invites: bool,
    /// How long an invite can be redeemed.
    pub invite_lifetime: Duration,
}

/// AWS credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSettings {
    /// How long an assertion is valid; 1 to 5 minutes.
    pub token_lifetime: Duration,
    /// Roles in accounts that no federation governs.
    pub ungoverned_accounts: UngovernedAccounts,
    /// How the session tags for e-mail and domain are spelt.
    pub session_tag_keys: SessionTagKeys,
}

/// How many requests are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// For one source address.
    pub per_client: RateLimit,
    /// For one signed-in person.
    pub per_user: RateLimit,
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How fast it fills.
    pub requests_per_minute: NonZeroU32,
    /// How many requests it holds.
    pub burst: NonZeroU32,
}

/// A person whom the manifest declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredUser {
    /// In one of the organization's domains.
    pub email: EmailAddress,
    /// Sorted, without duplicates.
    pub groups: Vec<String>,
    /// No login, no session, no credential.
    pub disabled: bool,
}

/// An application that signs people in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The client id: the object's name.
    pub id: String,
    /// As people know it.
    pub display_name: String,
    /// Where people may be sent back to, compared byte for byte; at least one.
    pub redirect_uris: Vec<String>,
    /// What it may ask for; `openid` is always there.
    pub scopes: Vec<Scope>,
    /// It cannot keep a secret and proves itself by PKCE alone.
    pub public: bool,
}
