//! Proofs of possession (RFC 9449): every request to the issuer is signed with a key that never leaves this process.

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Serialize;

/// The key pair of one session. aws-lc wipes it when it is dropped.
pub struct DpopKey {
    pair: EcdsaKeyPair,
    /// base64url of the JOSE header, the same in every proof.
    header: String,
}

impl std::fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DpopKey(..)")
    }
}

/// The library could not make a key or a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this machine could not make an ES256 signature")]
pub struct SigningError;

impl From<aws_lc_rs::error::Unspecified> for SigningError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

/// What one proof says (RFC 9449 §4.2).
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The URL; query and fragment are left out of the proof.
    pub url: &'a str,
    /// The issuer's time.
    pub at: Timestamp,
    /// The nonce the issuer last gave.
    pub nonce: Option<&'a str>,
    /// The session token the request carries.
    pub token: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    jti: String,
    htm: &'a str,
    htu: &'a str,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl DpopKey {
    /// A fresh P-256 key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, SigningError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        // SEC 1 §2.3.3: 0x04, then x and y of 32 bytes each.
        let point = pair.public_key().as_ref();
        let coordinates = point.strip_prefix(&[4]).filter(|rest| rest.len() == 64).ok_or(SigningError)?;
        let (x, y) = coordinates.split_at(32);
        let header = format!(
            r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}}}"#,
            URL_SAFE_NO_PAD.encode(x),
            URL_SAFE_NO_PAD.encode(y)
        );
        Ok(Self { header: URL_SAFE_NO_PAD.encode(header), pair })
    }

    /// Signs one proof. It is good for one request: its `jti` is random.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn prove(&self, statement: &Statement<'_>) -> Result<String, SigningError> {
        let mut jti = [0_u8; 16];
        aws_lc_rs::rand::fill(&mut jti)?;
        let claims = Claims {
            jti: URL_SAFE_NO_PAD.encode(jti),
            htm: statement.method,
            htu: statement.url.split(['?', '#']).next().unwrap_or_default(),
            iat: statement.at.as_second(),
            ath: statement.token.map(|token| URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))),
            nonce: statement.nonce,
        };
        let claims = serde_json::to_vec(&claims).map_err(|_| SigningError)?;
        let mut proof = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), proof.as_bytes())?;
        proof.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut proof);
        Ok(proof)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    fn parts(proof: &str) -> (Value, Value, Vec<u8>, String) {
        let words: Vec<_> = proof.split('.').collect();
        let json = |word: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(word).unwrap()).unwrap();
        let signed = format!("{}.{}", words[0], words[1]);
        (json(words[0]), json(words[1]), URL_SAFE_NO_PAD.decode(words[2]).unwrap(), signed)
    }

    fn statement<'a>(token: Option<&'a str>, nonce: Option<&'a str>) -> Statement<'a> {
        let at = "2026-11-21T09:30:00Z".parse().unwrap();
        Statement { method: "POST", url: "https://vouch.example.com/v1/keys/1?allow_last=true#x", at, nonce, token }
    }

    #[test]
    fn a_proof_verifies_with_the_key_in_its_own_header() {
        let proof = DpopKey::generate().unwrap().prove(&statement(None, None)).unwrap();
        let (header, _, signature, signed) = parts(&proof);
        assert_eq!((&header["typ"], &header["alg"]), (&"dpop+jwt".into(), &"ES256".into()));
        assert!(header["jwk"].get("d").is_none(), "the private key is not in the header");
        let mut point = vec![4];
        for coordinate in ["x", "y"] {
            point.extend(URL_SAFE_NO_PAD.decode(header["jwk"][coordinate].as_str().unwrap()).unwrap());
        }
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), &signature).unwrap();
    }

    #[test]
    fn a_proof_names_the_request_without_its_query() {
        let proof = DpopKey::generate().unwrap().prove(&statement(None, Some("n-1"))).unwrap();
        let (_, claims, ..) = parts(&proof);
        assert_eq!(claims["htm"], "POST");
        assert_eq!(claims["htu"], "https://vouch.example.com/v1/keys/1");
        assert_eq!(claims["iat"], 1_795_253_400);
        assert_eq!(claims["nonce"], "n-1");
        assert!(claims.get("ath").is_none());
    }

    #[test]
    fn a_proof_is_bound_to_the_token_as_in_the_rfc() {
        // RFC 9449 §7.1, the token and `ath` of its example.
        let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
        let proof = DpopKey::generate().unwrap().prove(&statement(Some(token), None)).unwrap();
        let (_, claims, ..) = parts(&proof);
        assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    }

    #[test]
    fn no_two_proofs_are_the_same() {
        let key = DpopKey::generate().unwrap();
        let jti = || parts(&key.prove(&statement(None, None)).unwrap()).1["jti"].clone();
        assert_ne!(jti(), jti());
    }
}
