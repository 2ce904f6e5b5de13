//! Certificates that attestation is traced to.

use std::sync::LazyLock;

use webauthn_rs::prelude::AttestationCaList;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Built in, so that the common case needs no configuration. A test pins what they are.
static YUBICO: LazyLock<AttestationRoots> =
    LazyLock::new(|| AttestationRoots::from_pem(include_str!("yubico.pem")).unwrap_or_default());

/// A PEM file that holds no usable trust anchor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    /// No `BEGIN CERTIFICATE` line.
    #[error("there is no certificate in it; attestation roots are given as PEM")]
    Empty,
    /// The certificate at this place, counted from 1, is broken.
    #[error("certificate {0} in it cannot be read")]
    Unreadable(usize),
}

/// Trust anchors for attestation: roots, or intermediates whose keys send no chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttestationRoots(AttestationCaList);

impl AttestationRoots {
    /// Yubico's.
    #[must_use]
    pub fn yubico() -> &'static Self {
        &YUBICO
    }

    /// Every certificate of a PEM file; text between them is ignored.
    ///
    /// # Errors
    /// [`RootsError`] when there is none, or one of them cannot be read.
    pub fn from_pem(pem: &str) -> Result<Self, RootsError> {
        let mut anchors = AttestationCaList::default();
        for (index, certificate) in pem.split(BEGIN).skip(1).enumerate() {
            let body = certificate.split_once(END).map(|(body, _)| body).ok_or(RootsError::Unreadable(index + 1))?;
            let certificate = format!("{BEGIN}\n{}\n{END}\n", body.trim());
            let anchor = AttestationCaList::try_from(certificate.as_bytes());
            anchors.union(&anchor.map_err(|_| RootsError::Unreadable(index + 1))?);
        }
        if anchors.is_empty() { Err(RootsError::Empty) } else { Ok(Self(anchors)) }
    }

    /// These and others.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        let mut anchors = self.0.clone();
        anchors.union(&others.0);
        Self(anchors)
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none; then no attestation is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) const fn anchors(&self) -> &AttestationCaList {
        &self.0
    }
}
