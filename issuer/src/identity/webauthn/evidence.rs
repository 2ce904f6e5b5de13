//! What a new credential shows of its maker, for whoever has to find out why it is not accepted.

use std::fmt;

use crypto_glue::x509::{X509Store, X509VerificationError};
use jiff::Timestamp;
use uuid::Uuid;
use webauthn_rs::prelude::{Credential, ParsedAttestationData};

use super::{anchors::TrustAnchors, fault::KeyFault};

/// A name in a certificate can be of any length and is chosen by whoever made it.
const MAX_NAME: usize = 120;

/// Why a new credential is not accepted, and what it has shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RegistrationFault {
    /// Why.
    pub fault: KeyFault,
    /// Unknown while nothing of the credential has been verified.
    pub evidence: Option<Evidence>,
}

impl From<KeyFault> for RegistrationFault {
    fn from(fault: KeyFault) -> Self {
        Self { fault, evidence: None }
    }
}

impl fmt::Display for RegistrationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)?;
        self.evidence.as_ref().map_or(Ok(()), |evidence| write!(f, " ({evidence})"))
    }
}

/// What a credential shows of its maker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The model, when a certificate speaks for it.
    pub aaguid: Option<Uuid>,
    /// Who issued the attestation certificate: its words, without characters that could mislead a reader.
    pub issuer: Option<String>,
    /// Why the certificates lead to no root, when they do not.
    pub cause: Option<String>,
}

impl Evidence {
    /// Looks at a credential once more that has been refused at `now`.
    pub(super) fn of(credential: &Credential, aaguid: Option<Uuid>, anchors: &TrustAnchors, now: Timestamp) -> Self {
        let chain = match &credential.attestation.data {
            ParsedAttestationData::Basic(chain)
            | ParsedAttestationData::AttCa(chain)
            | ParsedAttestationData::AnonCa(chain) => chain.as_slice(),
            _ => &[],
        };
        let Some((leaf, intermediates)) = chain.split_first() else {
            return Self { aaguid, issuer: None, cause: None };
        };
        let roots: Vec<_> = anchors.list().cas().values().map(|anchor| anchor.ca().clone()).collect();
        let mut store = X509Store::new(&roots);
        store.leaf_basic_constraints_required(false);
        let cause = store.verify(leaf, intermediates, now.into()).err().map(explained);
        Self { aaguid, issuer: Some(printable(&leaf.tbs_certificate().issuer().to_string())), cause }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.aaguid {
            Some(aaguid) => write!(f, "model {aaguid}")?,
            None => f.write_str("no model proven")?,
        }
        match &self.issuer {
            Some(issuer) => write!(f, ", attested by {issuer}")?,
            None => f.write_str(", no attestation certificate")?,
        }
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

fn printable(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric() || c.is_ascii_graphic() || *c == ' ').take(MAX_NAME).collect()
}

fn explained(error: X509VerificationError) -> String {
    use X509VerificationError as E;
    match error {
        E::NoMatchingIssuer | E::InvalidIssuer => "no trusted root has issued its certificate".to_owned(),
        E::KeyUsageNotPresent | E::KeyUsageNotValid => {
            "a certificate on the way to the root does not say that it may sign (keyUsage)".to_owned()
        }
        E::BasicConstraintsNotPresent | E::CaNotMarkedAsSuch => {
            "a certificate on the way to the root is not marked as a certificate authority".to_owned()
        }
        E::NotBefore | E::NotAfter => "a certificate on the way to the root is not valid today".to_owned(),
        E::SignatureVerificationFailed => "the root of that name has not signed its certificate".to_owned(),
        other => format!("its certificates are not usable: {other:?}"),
    }
}
