//! Key ids. A key id is the RFC 7638 thumbprint of the public key, so it names the key and nothing else, and
//! anybody who holds the key can check it.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::public::PublicKey;

/// Length of the base64url form of a SHA-256 digest.
const KID_LENGTH: usize = 43;

/// The id of a key: its SHA-256 thumbprint (RFC 7638), 43 characters of base64url.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kid(String);

impl Kid {
    /// The thumbprint of a key (RFC 7638 §3).
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        let digest = digest::digest(&digest::SHA256, required_members(key).as_bytes());
        Self(URL_SAFE_NO_PAD.encode(digest))
    }

    /// As it stands in `kid`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The hash input: required members only, in the order of their names, without white space (RFC 7638 §3.2).
fn required_members(key: &PublicKey) -> String {
    match key {
        PublicKey::P256 { x, y } => {
            let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
            format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
        }
        PublicKey::Rsa { n, e } => {
            let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
            format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
        }
    }
}

/// The text is not a key id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a key id: expected the 43 base64url characters of a SHA-256 thumbprint")]
pub struct InvalidKid;

impl FromStr for Kid {
    type Err = InvalidKid;

    fn from_str(text: &str) -> Result<Self, InvalidKid> {
        let well_formed =
            text.len() == KID_LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidKid) }
    }
}

impl TryFrom<String> for Kid {
    type Error = InvalidKid;

    fn try_from(text: String) -> Result<Self, InvalidKid> {
        text.parse()
    }
}

impl From<Kid> for String {
    fn from(kid: Kid) -> Self {
        kid.0
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The key of RFC 7638 §3.1.
    const RFC_7638_MODULUS: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRX\
        jBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9\
        c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-c\
        sFCur-kEgU8awapJzKnqDKgw";

    #[test]
    fn gives_the_thumbprint_of_the_rfc_7638_example() {
        let key = PublicKey::Rsa { n: URL_SAFE_NO_PAD.decode(RFC_7638_MODULUS).unwrap(), e: vec![1, 0, 1] };
        assert_eq!(Kid::of(&key).as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn hashes_the_members_of_a_p256_key_in_the_order_of_their_names() {
        let key = PublicKey::P256 { x: [1; 32], y: [2; 32] };
        assert_eq!(
            required_members(&key),
            r#"{"crv":"P-256","kty":"EC","x":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","y":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"}"#
        );
    }

    #[test]
    fn refuses_text_that_is_no_thumbprint() {
        for text in
            ["", "short", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X/", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs="]
        {
            assert_eq!(text.parse::<Kid>(), Err(InvalidKid), "{text}");
        }
    }
}
