//! Which security keys may be enrolled.

use std::collections::BTreeSet;

use uuid::Uuid;
use webauthn_rs::prelude::{AttestationFormat, AttestationMetadata, Credential};
use webauthn_rs_proto::{CredentialProtectionPolicy, ExtnState};

use super::{fault::KeyFault, roots::AttestationRoots};

/// What a key must prove about its maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// That Yubico made it.
    YubiKey,
    /// That one of the configured makers made it.
    Attested,
    /// Nothing.
    Any,
}

/// Which security keys may be enrolled. User verification is required of all of them.
#[derive(Debug, Clone)]
pub struct AuthenticatorPolicy {
    /// What a key must prove.
    pub trust: Trust,
    /// Configured trust anchors: the only ones under `Attested`, additional ones under `YubiKey`.
    pub roots: AttestationRoots,
    /// Models, when not empty. Under `Any` a key still has to state its model with a certificate.
    pub allowed_aaguids: BTreeSet<Uuid>,
}

/// What the policy found out about an accepted key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The model.
    pub aaguid: Option<Uuid>,
    /// Whether its maker was verified to a trust anchor.
    pub attested: bool,
}

impl AuthenticatorPolicy {
    /// Whether a key that cannot prove its maker is refused.
    #[must_use]
    pub const fn requires_attestation(&self) -> bool {
        matches!(self.trust, Trust::YubiKey | Trust::Attested)
    }

    /// Judges a credential whose signatures have been verified.
    ///
    /// `credProtect` is how a key promises to use a credential only with user verification. Every key of the attested
    /// policies supports it, so an answer without it was tampered with; under `Any` its absence is accepted, because
    /// an old key may not know it, and a lower level is not.
    ///
    /// # Errors
    /// The first rule the credential breaks.
    pub fn judge(&self, credential: &Credential) -> Result<Accepted, KeyFault> {
        let aaguid = proven_aaguid(credential);
        let attested = self.is_attested(credential);
        if self.requires_attestation() {
            attested?;
            if credential.backup_eligible {
                return Err(KeyFault::Synchronised);
            }
        }
        if !self.allowed_aaguids.is_empty() && !aaguid.is_some_and(|aaguid| self.allowed_aaguids.contains(&aaguid)) {
            return Err(KeyFault::Model);
        }
        match credential.extensions.cred_protect {
            ExtnState::Set(CredentialProtectionPolicy::UserVerificationRequired) => {}
            ExtnState::Ignored if !self.requires_attestation() => {}
            _ => return Err(KeyFault::Unprotected),
        }
        Ok(Accepted { aaguid, attested: attested.is_ok() })
    }

    fn is_attested(&self, credential: &Credential) -> Result<(), KeyFault> {
        // Other formats do not sign the flags: with them a client could claim a user verification that never was.
        if !matches!(credential.attestation_format, AttestationFormat::Packed | AttestationFormat::Tpm) {
            return Err(KeyFault::NotAttested);
        }
        let anchors = match self.trust {
            Trust::Attested => self.roots.clone(),
            Trust::YubiKey | Trust::Any => self.roots.and(AttestationRoots::yubico()),
        };
        match credential.verify_attestation(anchors.anchors())? {
            Some(_) => Ok(()),
            None => Err(KeyFault::NotAttested),
        }
    }
}

/// The model, when the key stated it under a certificate.
fn proven_aaguid(credential: &Credential) -> Option<Uuid> {
    match credential.attestation.metadata {
        AttestationMetadata::Packed { aaguid } | AttestationMetadata::Tpm { aaguid, .. } => {
            Some(aaguid).filter(|aaguid| !aaguid.is_nil())
        }
        _ => None,
    }
}
