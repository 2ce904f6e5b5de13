//! Private keys and where they come from.
//!
//! A private key leaves this module only as PKCS#8 for the key document, in memory that is wiped. It is never in
//! `Debug` output and never in an error.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RsaKeyPair},
};
use zeroize::Zeroizing;

use crate::{algorithm::Algorithm, public::PublicKey, thumbprint::Kid};

/// Why there is no private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The cryptographic library could not make one.
    #[error("no new {0} key could be generated; the system's random source may be unavailable")]
    Generation(Algorithm),
    /// The bytes are not a key of that algorithm.
    #[error("the stored {0} key is not a valid PKCS#8 private key of that algorithm")]
    Invalid(Algorithm),
}

/// Makes private keys. Given to whatever changes a set, so that decisions can be tested without randomness.
pub trait KeyGenerator {
    /// A fresh key.
    ///
    /// # Errors
    /// [`KeyError::Generation`].
    fn generate(&self, algorithm: Algorithm) -> Result<PrivateKey, KeyError>;
}

/// Makes keys with aws-lc and the system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemKeyGenerator;

impl KeyGenerator for SystemKeyGenerator {
    fn generate(&self, algorithm: Algorithm) -> Result<PrivateKey, KeyError> {
        let failed = |_| KeyError::Generation(algorithm);
        match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
                let pkcs8 = pair.to_pkcs8v1().map_err(failed)?;
                PrivateKey::from_pkcs8(algorithm, pkcs8.as_ref())
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
                let pkcs8 = pair.as_der().map_err(failed)?;
                PrivateKey::from_pkcs8(algorithm, pkcs8.as_ref())
            }
        }
    }
}

/// A key pair ready to sign. Clones share it.
#[derive(Clone)]
pub struct PrivateKey(Arc<Inner>);

struct Inner {
    algorithm: Algorithm,
    kid: Kid,
    public: PublicKey,
    pair: Pair,
    pkcs8: Zeroizing<Vec<u8>>,
}

/// The parsed key, kept because parsing costs more than signing. aws-lc wipes it when it is freed.
pub(crate) enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl PrivateKey {
    /// Reads an unencrypted PKCS#8 document (RFC 5208).
    ///
    /// # Errors
    /// [`KeyError::Invalid`] when the bytes are not a key of that algorithm.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let invalid = KeyError::Invalid(algorithm);
        let (pair, public) = match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(|_| invalid)?;
                let public = PublicKey::of_ecdsa(&pair).ok_or(invalid)?;
                (Pair::Ecdsa(pair), public)
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| invalid)?;
                let public = PublicKey::of_rsa(&pair);
                (Pair::Rsa(pair), public)
            }
        };
        let kid = Kid::of(&public);
        Ok(Self(Arc::new(Inner { algorithm, kid, public, pair, pkcs8: Zeroizing::new(pkcs8.to_vec()) })))
    }

    /// What it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// Its id.
    #[must_use]
    pub fn kid(&self) -> &Kid {
        &self.0.kid
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.0.public
    }

    /// The public half as [`crate::VerifyingKey::der`] has it.
    pub(crate) fn public_der(&self) -> &[u8] {
        match &self.0.pair {
            Pair::Ecdsa(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    pub(crate) fn pair(&self) -> &Pair {
        &self.0.pair
    }

    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.0.pkcs8
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("algorithm", &self.0.algorithm)
            .field("kid", &self.0.kid)
            .finish_non_exhaustive()
    }
}
