//! Unique ids and secrets, in AWS's formats (IAM User Guide, "IAM identifiers").

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The alphabet of AWS's ids: base 32.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A text that must not be shown.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one place that hands it out or computes with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a text is the same, in constant time.
    #[must_use]
    pub fn matches(&self, other: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_bytes(), other.as_bytes()).is_ok()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// `prefix` and `length` random characters: 17 for `AROA`, `AIDA` and `ANPA`, 16 for access keys.
#[must_use]
pub fn unique_id(prefix: &str, length: usize) -> String {
    let random = random_bytes(length);
    let characters =
        random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).map(|byte| char::from(*byte));
    prefix.chars().chain(characters).collect()
}

/// A secret access key: 40 characters.
#[must_use]
pub fn secret_access_key() -> Secret {
    Secret::new(STANDARD.encode(random_bytes(30)))
}

/// An opaque session token of `length` characters.
#[must_use]
pub fn session_token(length: usize) -> Secret {
    let mut token = String::from("IQoJb3JpZ2luX2Vj");
    token.push_str(&STANDARD.encode(random_bytes(length.max(64))));
    token.truncate(length.max(64));
    Secret::new(token)
}

fn random_bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    // The operating system's generator does not fail after start; zeros would only make ids equal.
    let _ = rand::fill(&mut bytes);
    bytes
}
