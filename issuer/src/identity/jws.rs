//! The form of a signed token: JWS compact serialization (RFC 7515 §7.1).
//!
//! It only takes tokens apart. Nothing in one may be believed before its signature has been verified, by whoever knows
//! the key, over [`CompactJws::signed`] as it arrived.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

/// The parts of a token, still encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CompactJws<'a> {
    pub(super) header: &'a str,
    pub(super) claims: &'a str,
    /// What the signature is over: header and claims with the dot between them.
    pub(super) signed: &'a str,
    pub(super) signature: &'a str,
}

impl<'a> CompactJws<'a> {
    /// `None` when there are fewer than three parts. A fourth is left in the claims, and is no base64url there.
    pub(super) fn split(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        Some(Self { header, claims, signed, signature })
    }
}

/// Decodes base64url without padding; `None` when it is not that, or not canonical.
pub(super) fn base64url(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

/// Reads a JSON object; `None` when it is not of that form.
pub(super) fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_token_has_three_parts_and_its_signature_is_over_the_first_two() {
        let jws = CompactJws::split("aGVhZGVy.Y2xhaW1z.c2ln").unwrap();
        let expected = ("aGVhZGVy", "Y2xhaW1z", "aGVhZGVy.Y2xhaW1z", "c2ln");
        assert_eq!((jws.header, jws.claims, jws.signed, jws.signature), expected);
        assert_eq!((CompactJws::split(""), CompactJws::split("aGVhZGVy.c2ln")), (None, None));
    }

    #[test]
    fn a_fourth_part_cannot_be_decoded() {
        let jws = CompactJws::split("aGVhZGVy.Y2xhaW1z.bW9yZQ.c2ln").unwrap();
        assert_eq!(base64url(jws.claims), None);
        assert_eq!(base64url("YQ=="), None, "no padding (RFC 7515 §2)");
        assert_eq!(base64url("YR"), None, "only one spelling");
    }
}
