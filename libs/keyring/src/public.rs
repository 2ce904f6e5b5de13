//! Public keys: what verifiers get.

use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{algorithm::Algorithm, thumbprint::Kid};

/// Length of a P-256 coordinate.
const COORDINATE: usize = 32;

/// A public key, as the members of a JWK (RFC 7518 §6.2, §6.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// A point on P-256.
    P256 {
        /// Big-endian.
        x: [u8; COORDINATE],
        /// Big-endian.
        y: [u8; COORDINATE],
    },
    /// An RSA key.
    Rsa {
        /// The modulus, big-endian, without leading zeros.
        n: Vec<u8>,
        /// The exponent, big-endian, without leading zeros.
        e: Vec<u8>,
    },
}

impl PublicKey {
    /// `None` when the point is not in the uncompressed form of SEC 1 §2.3.3, which aws-lc never gives.
    pub(crate) fn of_ecdsa(pair: &EcdsaKeyPair) -> Option<Self> {
        let coordinates = pair.public_key().as_ref().strip_prefix(&[4])?;
        let (x, y) = coordinates.split_first_chunk::<COORDINATE>()?;
        Some(Self::P256 { x: *x, y: y.try_into().ok()? })
    }

    pub(crate) fn of_rsa(pair: &RsaKeyPair) -> Self {
        let public = pair.public_key();
        Self::Rsa {
            n: public.modulus().big_endian_without_leading_zero().to_vec(),
            e: public.exponent().big_endian_without_leading_zero().to_vec(),
        }
    }

    /// The JWK (RFC 7517) of this key for verifying signatures, in a fixed order of members.
    ///
    /// It never carries `key_ops` or `x5c`: AWS fails to verify with a JWK that has `key_ops`, even a right one, and
    /// lets `x5c` override the key.
    #[must_use]
    pub fn jwk(&self, kid: &Kid, algorithm: Algorithm) -> String {
        match self {
            Self::P256 { x, y } => {
                let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
                format!(
                    r#"{{"kty":"EC","use":"sig","alg":"{algorithm}","kid":"{kid}","crv":"P-256","x":"{x}","y":"{y}"}}"#
                )
            }
            Self::Rsa { n, e } => {
                let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
                format!(r#"{{"kty":"RSA","use":"sig","alg":"{algorithm}","kid":"{kid}","n":"{n}","e":"{e}"}}"#)
            }
        }
    }
}

/// One published key, for whoever verifies this issuer's own tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    /// The `kid` of the tokens it verifies.
    pub kid: Kid,
    /// The only `alg` it may be used with.
    pub algorithm: Algorithm,
    /// A P-256 point in uncompressed form, or a PKCS#1 `RSAPublicKey`: what `jsonwebtoken::DecodingKey::from_ec_der`
    /// and `from_rsa_der` take.
    pub der: Vec<u8>,
}
