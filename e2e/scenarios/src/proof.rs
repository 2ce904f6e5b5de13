//! Proofs of possession (RFC 9449) by a key of one's own: what a thief would make who has a session token and not the
//! key it is bound to. Written from the RFC alone; the product's own maker of proofs is under test.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::{self, SystemRandom},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A P-256 key.
#[derive(Debug)]
pub struct ProofKey(EcdsaKeyPair);

impl ProofKey {
    /// A new one.
    ///
    /// # Panics
    /// When there is no randomness.
    #[must_use]
    pub fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    /// A proof for one request, made now.
    ///
    /// # Panics
    /// When there is no randomness.
    #[must_use]
    pub fn prove(&self, method: &str, url: &str, nonce: Option<&str>, token: Option<&str>) -> String {
        self.prove_at(Timestamp::now(), method, url, nonce, token)
    }

    /// The same by another clock.
    ///
    /// # Panics
    /// When there is no randomness.
    #[must_use]
    pub fn prove_at(
        &self,
        now: Timestamp,
        method: &str,
        url: &str,
        nonce: Option<&str>,
        token: Option<&str>,
    ) -> String {
        let mut id = [0; 16];
        rand::fill(&mut id).unwrap();
        let mut claims = json!({"jti": base64(&id), "htm": method, "htu": url, "iat": now.as_second()});
        if let Some(nonce) = nonce {
            claims["nonce"] = Value::from(nonce);
        }
        if let Some(token) = token {
            claims["ath"] = Value::from(base64(digest(&SHA256, token.as_bytes()).as_ref()));
        }
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.public()});
        let signed = format!("{}.{}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64(signature.as_ref()))
    }

    /// The thumbprint of the public key (RFC 7638), which a token is bound to (RFC 9449 §6.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // Members in the order of their names and no spaces, which is how a map of serde_json is written.
        base64(digest(&SHA256, self.public().to_string().as_bytes()).as_ref())
    }

    fn public(&self) -> Value {
        let point = self.0.public_key().as_ref();
        json!({"crv": "P-256", "kty": "EC", "x": base64(&point[1..33]), "y": base64(&point[33..])})
    }
}

impl Default for ProofKey {
    fn default() -> Self {
        Self::new()
    }
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
