//! Signing JWTs in compact form (RFC 7515 §7.1) around a cached key pair.
//!
//! Assembled here because a library that parses the key for every token takes twice the time of the signature.

use std::fmt;

use aws_lc_rs::{rand::SystemRandom, signature::RSA_PKCS1_SHA256};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    algorithm::Algorithm,
    key::{Pair, PrivateKey},
    thumbprint::Kid,
};

/// The `typ` whose header is encoded beforehand.
const JWT: &str = "JWT";

/// Room for a header and a signature beside the claims.
const ENVELOPE: usize = 640;

/// Why nothing can be signed with an algorithm now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSigner {
    /// The next key has not been published for long enough.
    #[error("no {algorithm} key may sign before {until}: verifiers may not know the next one yet")]
    Waiting {
        /// Of which kind.
        algorithm: Algorithm,
        /// When it will sign.
        until: Timestamp,
    },
    /// The set has no such key.
    #[error("the key set has no {algorithm} key; add {algorithm} to the algorithms of the signing-key policy")]
    NoKey {
        /// Of which kind.
        algorithm: Algorithm,
    },
}

/// Why a token was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The claims are not JSON.
    #[error("the claims cannot be written as JSON")]
    Claims(#[source] serde_json::Error),
    /// The cryptographic library failed.
    #[error("signing with key {0} failed")]
    Crypto(Kid),
}

/// Signs tokens with one key. Cheap to clone and safe to share between threads.
#[derive(Clone)]
pub struct Signer {
    key: PrivateKey,
    untyped_header: String,
    jwt_header: String,
}

impl Signer {
    pub(crate) fn new(key: PrivateKey) -> Self {
        let untyped_header = encoded_header(&key, None);
        let jwt_header = encoded_header(&key, Some(JWT));
        Self { key, untyped_header, jwt_header }
    }

    /// The `kid` of the tokens.
    #[must_use]
    pub fn kid(&self) -> &Kid {
        self.key.kid()
    }

    /// The `alg` of the tokens.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// Signs claims. `typ` says what kind of token it is (RFC 8725 §3.11), without the prefix `application/`.
    ///
    /// # Errors
    /// When the claims are not JSON, or the cryptographic library fails.
    pub fn sign_jwt(&self, typ: Option<&str>, claims: &impl Serialize) -> Result<String, SignError> {
        let claims = serde_json::to_vec(claims).map_err(SignError::Claims)?;
        let mut token = String::with_capacity(ENVELOPE + claims.len() / 3 * 4);
        match typ {
            None => token.push_str(&self.untyped_header),
            Some(JWT) => token.push_str(&self.jwt_header),
            Some(_) => token.push_str(&encoded_header(&self.key, typ)),
        }
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&claims, &mut token);
        self.sign(token)
    }

    /// Appends the signature over what the token holds so far.
    fn sign(&self, mut token: String) -> Result<String, SignError> {
        let failed = |_| SignError::Crypto(self.kid().clone());
        let random = SystemRandom::new();
        match self.key.pair() {
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&random, token.as_bytes()).map_err(failed)?;
                token.push('.');
                URL_SAFE_NO_PAD.encode_string(signature, &mut token);
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature).map_err(failed)?;
                token.push('.');
                URL_SAFE_NO_PAD.encode_string(signature, &mut token);
            }
        }
        Ok(token)
    }
}

fn encoded_header(key: &PrivateKey, typ: Option<&str>) -> String {
    let (algorithm, kid) = (key.algorithm(), key.kid());
    let header = match typ {
        None => format!(r#"{{"alg":"{algorithm}","kid":"{kid}"}}"#),
        Some(typ) => {
            let typ = serde_json::Value::from(typ);
            format!(r#"{{"alg":"{algorithm}","kid":"{kid}","typ":{typ}}}"#)
        }
    };
    URL_SAFE_NO_PAD.encode(header)
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("key", &self.key).finish_non_exhaustive()
    }
}
