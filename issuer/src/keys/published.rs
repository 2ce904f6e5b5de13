//! A published key that verifies what the issuer has signed, parsed once: parsing costs a tenth of a verification.

use aws_lc_rs::{
    error::KeyRejected,
    signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm},
};
use vouch_keyring::{Algorithm, VerifyingKey};

/// A key of the published set.
#[derive(Debug)]
pub struct PublishedKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl PublishedKey {
    pub(super) fn parse(key: &VerifyingKey) -> Result<Self, KeyRejected> {
        let scheme: &'static dyn VerificationAlgorithm = match key.algorithm {
            Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        Ok(Self { algorithm: key.algorithm, key: ParsedPublicKey::new(scheme, &key.der)? })
    }

    /// Whether this key made `signature` over `message`, with `algorithm` and no other (RFC 8725 §3.1).
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.algorithm == algorithm && self.key.verify_sig(message, signature).is_ok()
    }
}
