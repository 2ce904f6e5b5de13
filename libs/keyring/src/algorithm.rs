//! The signature algorithms an issuer may use.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A JWS algorithm (RFC 7518 §3.1). AWS verifies both; ES256 is always there, RS256 may be added beside it for
/// verifiers that know nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, on 2048-bit keys: a key lives for weeks, and longer ones cost several
    /// times as much to sign with.
    #[serde(rename = "RS256")]
    Rs256,
}

impl Algorithm {
    /// Every algorithm, in the order of the JWKS.
    pub const ALL: [Self; 2] = [Self::Es256, Self::Rs256];

    /// The value of `alg`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
