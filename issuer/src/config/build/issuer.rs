//! A `VouchIssuer` as validated values.

use std::{num::NonZeroU32, time::Duration};

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use vouch_crds::{
    duration::Duration as Lifetime,
    issuer::{
        AttestationRoots as DeclaredRoots, AuthenticatorPolicy as DeclaredPolicy,
        Authenticators as DeclaredAuthenticators, RateLimit as DeclaredLimit, SigningAlgorithm, SigningKeys, StoreKind,
        VouchIssuerSpec,
    },
};
use vouch_keyring::{Algorithm, KeyPolicy, KeyPolicySettings, PolicyError};

use super::{anchor, parse, parse_all};
use crate::config::{
    AttestationRoots, AuthenticatorPolicy, Authenticators, AwsSettings, Config, Enrollment, Organization, RateLimit,
    RateLimits, Setting,
    manifest::{Kind, Manifest},
    problem::Problem,
};

/// The issuer, without federations, people and applications.
pub(super) fn issuer(
    manifest: &Manifest,
    spec: &VouchIssuerSpec,
    manifests: &[Manifest],
    setting: Setting,
    problems: &mut Vec<Problem>,
) -> Option<Config> {
    check_store(manifest, spec, setting, problems);
    let url = parse(manifest, "spec.url", &spec.url, problems);
    let organization = Organization {
        email_domains: parse_all(
            manifest,
            "spec.organization.emailDomains",
            &spec.organization.email_domains,
            problems,
        ),
        name: spec.organization.name.clone(),
    };
    let key_policy = checked_key_policy(manifest, spec, problems);
    let trusted_proxies = parse_all(manifest, "spec.http.trustedProxies", &spec.http.trusted_proxies, problems);
    let authenticators = authenticators(manifest, &spec.authenticators, manifests, setting, problems);
    Some(Config {
        name: manifest.name.clone(),
        namespace: manifest.namespace.clone(),
        url: url?,
        organization,
        session_lifetime: spec.session.lifetime.into(),
        key_policy: key_policy?,
        jwks_max_age: spec.signing_keys.jwks_max_age.into(),
        authenticators: authenticators?,
        enrollment: Enrollment {
            invites: spec.enrollment.invites,
            invite_lifetime: spec.enrollment.invite_lifetime.into(),
        },
        aws: AwsSettings {
            token_lifetime: spec.aws.token_lifetime.into(),
            ungoverned_accounts: spec.aws.ungoverned_accounts,
            session_tag_keys: spec.aws.session_tag_keys,
        },
        rate_limits: RateLimits {
            per_client: rate_limit(spec.rate_limits.per_client),
            per_user: rate_limit(spec.rate_limits.per_user),
        },
        trusted_proxies,
        federations: Vec::new(),
        users: Vec::new(),
        clients: Vec::new(),
        unknown: Vec::new(),
    })
}

fn check_store(manifest: &Manifest, spec: &VouchIssuerSpec, setting: Setting, problems: &mut Vec<Problem>) {
    match (setting, spec.store.as_ref().map(|store| store.kind)) {
        (Setting::Alone, Some(_)) => {
            let reason =
                "is for a cluster; an issuer that runs alone keeps people in its own database, so leave it out";
            problems.push(manifest.problem("spec.store", reason));
        }
        (Setting::Cluster, Some(StoreKind::Postgres)) => {
            let reason = "is Postgres; an issuer in a cluster keeps people in VouchUser objects, so choose Kubernetes";
            problems.push(manifest.problem("spec.store.kind", reason));
        }
        (_, None | Some(StoreKind::Kubernetes)) => {}
    }
}

/// The schema starts both at 1.
fn rate_limit(declared: DeclaredLimit) -> RateLimit {
    let positive = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    RateLimit { requests_per_minute: positive(declared.requests_per_minute), burst: positive(declared.burst) }
}

/// How the signing keys of an issuer rotate, by everything in its declaration that they follow. The operator rotates by it
/// what the issuer signs with.
///
/// # Errors
/// When its schema has not been asked, and would have refused it.
pub fn key_policy(
    declared: &SigningKeys,
    session_lifetime: Lifetime,
    token_lifetime: Lifetime,
) -> Result<KeyPolicy, PolicyError> {
    let algorithms = declared.algorithms.iter().map(|algorithm| match algorithm {
        SigningAlgorithm::Es256 => Algorithm::Es256,
        SigningAlgorithm::Rs256 => Algorithm::Rs256,
    });
    KeyPolicy::new(KeyPolicySettings {
        algorithms: algorithms.collect(),
        rotation_period: declared.rotation_period.into(),
        publish_lead: declared.publish_lead.into(),
        retain_retired: declared.retain_retired.into(),
        max_token_lifetime: Duration::from(session_lifetime).max(token_lifetime.into()),
    })
}

fn checked_key_policy(manifest: &Manifest, spec: &VouchIssuerSpec, problems: &mut Vec<Problem>) -> Option<KeyPolicy> {
    // What the schema refuses, the schema has explained.
    let found = |error: PolicyError| {
        error
            .0
            .iter()
            .filter(|_| manifest.valid)
            .map(|problem| manifest.problem("spec.signingKeys", problem.to_string()))
            .collect::<Vec<_>>()
    };
    let policy = key_policy(&spec.signing_keys, spec.session.lifetime, spec.aws.token_lifetime);
    policy.map_err(|error| problems.extend(found(error))).ok()
}

fn authenticators(
    manifest: &Manifest,
    declared: &DeclaredAuthenticators,
    manifests: &[Manifest],
    setting: Setting,
    problems: &mut Vec<Problem>,
) -> Option<Authenticators> {
    let allowed_aaguids =
        parse_all(manifest, "spec.authenticators.allowedAaguids", &declared.allowed_aaguids, problems);
    let roots = match &declared.attestation_roots {
        Some(roots) => Some(attestation_roots(manifest, roots, manifests, setting, problems)?),
        None => None,
    };
    let policy = match (declared.policy, roots) {
        (DeclaredPolicy::YubiKey, roots) => AuthenticatorPolicy::YubiKey(roots),
        (DeclaredPolicy::Attested, Some(roots)) => AuthenticatorPolicy::Attested(roots),
        (DeclaredPolicy::Attested, None) => {
            problems.push(manifest.problem("spec.authenticators.attestationRoots", "is missing"));
            return None;
        }
        (DeclaredPolicy::Any, _) => AuthenticatorPolicy::Any,
    };
    Some(Authenticators { policy, allowed_aaguids })
}

fn attestation_roots(
    manifest: &Manifest,
    declared: &DeclaredRoots,
    manifests: &[Manifest],
    setting: Setting,
    problems: &mut Vec<Problem>,
) -> Option<AttestationRoots> {
    const FIELD: &str = "spec.authenticators.attestationRoots";
    if let Some(pem) = &declared.pem {
        return certificates(manifest, &format!("{FIELD}.pem"), pem, problems);
    }
    let reference = declared.config_map_ref.as_ref()?;
    let found = manifests.iter().find(|object| object.kind == Kind::ConfigMap && object.name == reference.name);
    let Some(config_map) = found else {
        let place = if setting == Setting::Alone { "file" } else { "namespace" };
        let reason = format!("is {}; there is no such ConfigMap in this {place}", reference.name);
        problems.push(manifest.problem(&format!("{FIELD}.configMapRef.name"), reason));
        return None;
    };
    let data = config_map.value.get("data").and_then(|data| data.get(&reference.key));
    let Some(pem) = data.and_then(serde_json::Value::as_str) else {
        let reason = format!("is {}; ConfigMap {} has no such key in its data", reference.key, reference.name);
        problems.push(manifest.problem(&format!("{FIELD}.configMapRef.key"), reason));
        return None;
    };
    certificates(config_map, &format!("data.{}", reference.key), pem, problems)
}

/// Looks at roots that stand in an issuer which cannot be read as a whole.
pub(super) fn check_inline_roots(manifest: &Manifest, problems: &mut Vec<Problem>) {
    if let Some(pem) = manifest.text("/spec/authenticators/attestationRoots/pem") {
        certificates(manifest, "spec.authenticators.attestationRoots.pem", pem, problems);
    }
}

fn certificates(manifest: &Manifest, field: &str, pem: &str, problems: &mut Vec<Problem>) -> Option<AttestationRoots> {
    let (mut certificates, before) = (Vec::new(), problems.len());
    for (index, certificate) in CertificateDer::pem_slice_iter(pem.as_bytes()).enumerate() {
        let readable = certificate.map_err(|error| error.to_string()).and_then(|certificate| {
            RootCertStore::empty().add(certificate.clone()).map_err(|error| error.to_string())?;
            Ok(certificate)
        });
        let usable = readable.map_err(|error| format!("cannot be read: {error}")).and_then(|certificate| {
            anchor::check(&certificate).map_err(|error| error.to_string())?;
            Ok(certificate)
        });
        match usable {
            Ok(certificate) => certificates.push(certificate),
            Err(reason) => problems.push(manifest.problem(field, format!("certificate {} {reason}", index + 1))),
        }
    }
    if problems.len() > before {
        return None;
    }
    let roots = AttestationRoots::new(certificates);
    if roots.is_none() {
        problems.push(manifest.problem(field, "holds no certificate; it must begin with -----BEGIN CERTIFICATE-----"));
    }
    roots
}
