//! Key sets, and which of their keys AWS can use (recorded; RFC 7517 would allow more).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// AWS reads a hundred keys of each type; a set with more of a type has none of that type.
const MAX_KEYS_PER_TYPE: usize = 100;

/// A usable key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    /// The key itself.
    pub material: Material,
    /// `key_ops` is there, whatever it says: the key is found, and verification with it fails.
    pub has_key_ops: bool,
}

/// The key's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// Modulus and exponent, big-endian.
    Rsa {
        /// Modulus.
        n: Vec<u8>,
        /// Exponent.
        e: Vec<u8>,
    },
    /// A point of a curve.
    Ec {
        /// `P-256`, `P-384` or `P-521`.
        curve: String,
        /// First coordinate.
        x: Vec<u8>,
        /// Second coordinate.
        y: Vec<u8>,
    },
}

/// The usable keys of a set by key id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(BTreeMap<String, Jwk>);

impl KeySet {
    /// Reads a key set; `None` when it is none.
    ///
    /// A key without id, for encryption, of another type, or whose certificate is another key's does not count. Of two
    /// keys with one id the last counts.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(bytes).ok()?;
        let keys: Vec<&Map<String, Value>> =
            document.get("keys")?.as_array()?.iter().filter_map(Value::as_object).collect();
        let overfull =
            |kind: &str| keys.iter().filter(|key| text(key, "kty") == Some(kind)).count() > MAX_KEYS_PER_TYPE;
        let (no_rsa, no_ec) = (overfull("RSA"), overfull("EC"));
        let mut usable = BTreeMap::new();
        for key in keys {
            let dropped = match text(key, "kty") {
                Some("RSA") => no_rsa,
                Some("EC") => no_ec,
                _ => true,
            };
            if dropped {
                continue;
            }
            if let Some((id, key)) = read(key) {
                usable.insert(id, key);
            }
        }
        Some(Self(usable))
    }

    /// The key of a token: by its id, or, when the token names none, the only key there is.
    #[must_use]
    pub fn find(&self, key_id: Option<&str>) -> Option<&Jwk> {
        match key_id {
            Some(id) => self.0.get(id),
            None if self.0.len() == 1 => self.0.values().next(),
            None => None,
        }
    }
}

fn read(key: &Map<String, Value>) -> Option<(String, Jwk)> {
    let id = text(key, "kid").filter(|id| !id.is_empty())?.to_owned();
    if key.get("use").is_some_and(|usage| usage != "sig") {
        return None;
    }
    let material = match text(key, "kty")? {
        "RSA" => Material::Rsa { n: number(key, "n")?, e: number(key, "e")? },
        _ => Material::Ec { curve: text(key, "crv")?.to_owned(), x: number(key, "x")?, y: number(key, "y")? },
    };
    if key.get("x5c").is_some_and(|chain| !certifies(chain, &material)) {
        return None;
    }
    Some((id, Jwk { material, has_key_ops: key.contains_key("key_ops") }))
}

/// Whether the first certificate of a chain is for a key: its encoding holds the key's numbers as they are.
fn certifies(chain: &Value, material: &Material) -> bool {
    let Some(certificate) = chain.get(0).and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok()) else {
        return false;
    };
    let needle = match material {
        Material::Rsa { n, .. } => n.clone(),
        Material::Ec { x, y, .. } => [x.as_slice(), y.as_slice()].concat(),
    };
    !needle.is_empty() && certificate.windows(needle.len()).any(|window| window == needle)
}

fn text<'a>(key: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    key.get(name).and_then(Value::as_str)
}

fn number(key: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text(key, name)?).ok()
}
