//! Which security keys may be enrolled.

use jiff::Timestamp;
use uuid::Uuid;
use webauthn_rs::prelude::{AttestationFormat, AttestationMetadata, Credential};
use webauthn_rs_proto::{CredentialProtectionPolicy, ExtnState};

use super::{
    anchors::{TrustAnchors, UnreadableAnchor},
    evidence::Evidence,
    fault::KeyFault,
};
use crate::config::{AuthenticatorPolicy, Authenticators};

/// Which security keys may be enrolled. User verification is required of all of them.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// Where attestations must lead to; `None` when none is required.
    required: Option<TrustAnchors>,
    /// Models; empty: all.
    allowed_aaguids: Vec<Uuid>,
    /// What an accepted key is called when its owner does not say.
    product: &'static str,
}

/// What was found out about an accepted key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The model.
    pub aaguid: Option<Uuid>,
    /// Whether its maker was verified to a trust anchor.
    pub attested: bool,
}

impl Acceptance {
    /// As configured.
    ///
    /// # Errors
    /// When a configured root is no certificate.
    pub fn of(authenticators: &Authenticators) -> Result<Self, UnreadableAnchor> {
        let required = match &authenticators.policy {
            AuthenticatorPolicy::Any => None,
            AuthenticatorPolicy::YubiKey(None) => Some(TrustAnchors::yubico().clone()),
            AuthenticatorPolicy::YubiKey(Some(roots)) | AuthenticatorPolicy::Attested(roots) => {
                Some(TrustAnchors::from_der(roots.certificates().iter().map(AsRef::as_ref))?)
            }
        };
        let product = match authenticators.policy {
            AuthenticatorPolicy::YubiKey(_) => "YubiKey",
            AuthenticatorPolicy::Attested(_) | AuthenticatorPolicy::Any => "Security key",
        };
        Ok(Self { required, allowed_aaguids: authenticators.allowed_aaguids.clone(), product })
    }

    #[cfg(test)]
    pub(crate) const fn new(required: Option<TrustAnchors>, allowed_aaguids: Vec<Uuid>) -> Self {
        Self { required, allowed_aaguids, product: "Security key" }
    }

    /// Whether a key that cannot prove its maker is refused.
    #[must_use]
    pub const fn requires_attestation(&self) -> bool {
        self.required.is_some()
    }

    /// Models that are accepted; empty: all.
    #[must_use]
    pub fn allowed_aaguids(&self) -> &[Uuid] {
        &self.allowed_aaguids
    }

    /// What a key is called when its owner does not say.
    #[must_use]
    pub const fn product(&self) -> &'static str {
        self.product
    }

    /// What a credential that is refused at `now` shows of its maker.
    #[must_use]
    pub fn evidence(&self, credential: &Credential, now: Timestamp) -> Evidence {
        let anchors = self.required.as_ref().unwrap_or(TrustAnchors::yubico());
        Evidence::of(credential, proven_aaguid(credential), anchors, now)
    }

    /// Judges a credential whose signatures have been verified.
    ///
    /// `credProtect` is how a key promises to use a credential only with user verification. A key that can be attested
    /// supports it, so where attestation is required an answer without it was tampered with. Elsewhere its absence is
    /// accepted, because an old key may not know it; a lower level than asked for never is.
    ///
    /// # Errors
    /// The first rule the credential breaks.
    pub fn judge(&self, credential: &Credential) -> Result<Accepted, KeyFault> {
        let attested = lead_to(self.required.as_ref().unwrap_or(TrustAnchors::yubico()), credential);
        let aaguid = proven_aaguid(credential);
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
}

fn lead_to(anchors: &TrustAnchors, credential: &Credential) -> Result<(), KeyFault> {
    // Other formats do not sign the flags: with them a client could claim a user verification that never was.
    if !matches!(credential.attestation_format, AttestationFormat::Packed | AttestationFormat::Tpm) {
        return Err(KeyFault::NotAttested);
    }
    match credential.verify_attestation(anchors.list())? {
        Some(_) => Ok(()),
        None => Err(KeyFault::NotAttested),
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
