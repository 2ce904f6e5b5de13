//! State that travels through the client: sealed by any replica, opened by any replica, kept by none.
//!
//! A sealed value is bound to its purpose and expires by itself. It can be opened more than once: whoever acts on it
//! makes the act single-use in the store.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::secrets::Secrets;

/// Random bytes from which the key of one message is derived. With a key of its own for every message, no number of
/// messages wears a key out.
const SALT_LENGTH: usize = 16;

/// The longest text that is looked at. A registration that excludes as many keys as a person
/// may have, with the longest ids that are taken, needs about 14 KiB.
const MAX_LENGTH: usize = 16 * 1024;

/// What a sealed value is for; a value sealed for one purpose opens for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The challenge of an assertion.
    Assertion,
    /// The registration of an invited person's key.
    Enrollment,
    /// The registration of a further key.
    AdditionalKey,
}

impl Purpose {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Assertion => b"assertion v1",
            Self::Enrollment => b"enrollment v1",
            Self::AdditionalKey => b"additional key v1",
        }
    }
}

/// Why a sealed value is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not sealed here, for this purpose, or altered.
    #[error("the challenge was not made by this issuer for this request")]
    Unreadable,
    /// Its time is over.
    #[error("the challenge expired at {0:.0}")]
    Expired(Timestamp),
}

/// The cryptographic library or the serialisation failed; neither depends on the client.
#[derive(Debug, thiserror::Error)]
#[error("a state could not be sealed")]
pub struct SealError;

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    expires_at: Timestamp,
    value: T,
}

/// Seals `value` for `purpose` until `expires_at`.
///
/// # Errors
/// [`SealError`] for a fault of the issuer.
pub fn seal<T: Serialize>(
    secrets: &Secrets,
    purpose: Purpose,
    value: &T,
    expires_at: Timestamp,
) -> Result<String, SealError> {
    let mut sealed = serde_json::to_vec(&Envelope { expires_at, value }).map_err(|_| SealError)?;
    let mut salt = [0; SALT_LENGTH];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| SealError)?;
    let key = message_key(secrets, &salt).ok_or(SealError)?;
    let nonce = key.seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut sealed).map_err(|_| SealError)?;
    Ok(URL_SAFE_NO_PAD.encode([salt.as_slice(), nonce.as_ref(), &sealed].concat()))
}

/// Opens what [`seal`] made for the same purpose.
///
/// # Errors
/// [`OpenError`], which tells no more about an unreadable value than that it is one.
pub fn open<T: DeserializeOwned>(
    secrets: &Secrets,
    purpose: Purpose,
    sealed: &str,
    now: Timestamp,
) -> Result<T, OpenError> {
    let envelope: Envelope<T> = decrypt(secrets, purpose, sealed)
        .and_then(|plain| serde_json::from_slice(&plain).ok())
        .ok_or(OpenError::Unreadable)?;
    if now >= envelope.expires_at {
        return Err(OpenError::Expired(envelope.expires_at));
    }
    Ok(envelope.value)
}

fn decrypt(secrets: &Secrets, purpose: Purpose, sealed: &str) -> Option<Vec<u8>> {
    if sealed.len() > MAX_LENGTH {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (salt, rest) = bytes.split_first_chunk::<SALT_LENGTH>()?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
    let mut buffer = ciphertext.to_vec();
    let plain = message_key(secrets, salt)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(purpose.as_bytes()), &mut buffer)
        .ok()?
        .len();
    buffer.truncate(plain);
    Some(buffer)
}

fn message_key(secrets: &Secrets, salt: &[u8; SALT_LENGTH]) -> Option<RandomizedNonceKey> {
    let key = secrets.sealing_key(salt).ok()?;
    RandomizedNonceKey::new(&AES_256_GCM, key.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use jiff::{Timestamp, ToSpan as _};

    use super::{OpenError, Purpose, open, seal};
    use crate::identity::secrets::Secrets;

    fn secrets() -> Secrets {
        Secrets::derive(&[7; 32]).unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn sealed() -> String {
        seal(&secrets(), Purpose::Assertion, &"value", now() + 5.minutes()).unwrap()
    }

    #[test]
    fn another_replica_with_the_same_secret_opens_it() {
        assert_eq!(open(&secrets(), Purpose::Assertion, &sealed(), now()), Ok("value".to_owned()));
    }

    #[test]
    fn an_issuer_with_another_secret_does_not() {
        let other = Secrets::derive(&[8; 32]).unwrap();
        assert_eq!(open::<String>(&other, Purpose::Assertion, &sealed(), now()), Err(OpenError::Unreadable));
    }

    #[test]
    fn it_opens_for_no_other_purpose() {
        for purpose in [Purpose::Enrollment, Purpose::AdditionalKey] {
            assert_eq!(open::<String>(&secrets(), purpose, &sealed(), now()), Err(OpenError::Unreadable));
        }
    }

    #[test]
    fn it_is_worthless_from_the_moment_it_expires() {
        let sealed = sealed();
        let end = now() + 5.minutes();
        assert!(open::<String>(&secrets(), Purpose::Assertion, &sealed, end - 1.nanosecond()).is_ok());
        assert_eq!(open::<String>(&secrets(), Purpose::Assertion, &sealed, end), Err(OpenError::Expired(end)));
    }

    #[test]
    fn no_altered_character_goes_unnoticed() {
        let sealed = sealed();
        for position in 0..sealed.len() {
            let mut altered = sealed.clone().into_bytes();
            altered[position] = if altered[position] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(open::<String>(&secrets(), Purpose::Assertion, &altered, now()), Err(OpenError::Unreadable));
        }
    }

    #[test]
    fn what_is_too_short_too_long_or_no_base64_is_unreadable() {
        let long = "A".repeat(super::MAX_LENGTH + 1);
        for text in ["", "A", "AAAA", "not base64!", &"A".repeat(40), &long] {
            assert_eq!(open::<String>(&secrets(), Purpose::Assertion, text, now()), Err(OpenError::Unreadable));
        }
    }

    #[test]
    fn the_same_value_never_looks_the_same() {
        assert_ne!(sealed(), sealed());
    }
}
