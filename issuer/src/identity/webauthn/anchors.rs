//! Certificates that attestations are traced to.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use webauthn_rs::prelude::AttestationCaList;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Built in, so that the common case needs no configuration. A test pins what they are; were they unreadable, no
/// YubiKey would be trusted.
static YUBICO: LazyLock<TrustAnchors> = LazyLock::new(|| {
    let bodies = include_str!("yubico.pem").split(BEGIN).skip(1).filter_map(|text| text.split(END).next());
    TrustAnchors::from_base64(bodies).unwrap_or_default()
});

/// A trust anchor is no certificate that attestations can be traced to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("certificate {0} of the attestation roots cannot be read")]
pub struct UnreadableAnchor(pub usize);

/// Trust anchors of attestation: roots, or intermediates whose keys send no chain. Without any, nobody is trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustAnchors(AttestationCaList);

impl TrustAnchors {
    /// Yubico's.
    #[must_use]
    pub fn yubico() -> &'static Self {
        &YUBICO
    }

    /// From certificates in DER.
    ///
    /// # Errors
    /// [`UnreadableAnchor`], counted from 1.
    pub fn from_der<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, UnreadableAnchor> {
        let bodies: Vec<_> = certificates.into_iter().map(|der| STANDARD.encode(der)).collect();
        Self::from_base64(bodies.iter().map(String::as_str))
    }

    fn from_base64<'a>(bodies: impl Iterator<Item = &'a str>) -> Result<Self, UnreadableAnchor> {
        let mut anchors = AttestationCaList::default();
        for (index, body) in bodies.enumerate() {
            let mut lines = String::new();
            let symbols: Vec<char> = body.chars().filter(|symbol| !symbol.is_whitespace()).collect();
            for line in symbols.chunks(64) {
                lines.extend(line);
                lines.push('\n');
            }
            let anchor = AttestationCaList::try_from(format!("{BEGIN}\n{lines}{END}\n").as_bytes());
            anchors.union(&anchor.map_err(|_| UnreadableAnchor(index + 1))?);
        }
        Ok(Self(anchors))
    }

    pub(super) const fn list(&self) -> &AttestationCaList {
        &self.0
    }
}
