//! The JWK Set (RFC 7517 §5) as bytes, prepared once per change of the keys.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::state::Key;

/// What `/.well-known/jwks.json` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwks {
    body: String,
    etag: String,
}

impl Jwks {
    /// Ordered by algorithm and key id, so that a key that changes its state changes no byte.
    pub(crate) fn of(keys: &[Key]) -> Self {
        let mut sorted: Vec<&Key> = keys.iter().collect();
        sorted.sort_by_key(|key| (key.algorithm(), key.kid().clone()));
        let jwks: Vec<_> = sorted.into_iter().map(|key| key.private.public().jwk(key.kid(), key.algorithm())).collect();
        let body = format!(r#"{{"keys":[{}]}}"#, jwks.join(","));
        let digest = digest::digest(&digest::SHA256, body.as_bytes());
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest));
        Self { body, etag }
    }

    /// The JSON document.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// A strong entity tag with its quotes (RFC 9110 §8.8.3).
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.etag
    }
}
