//! The key set as a stored document.
//!
//! A document is taken exactly as it was written or refused with what is wrong; it is never repaired. An error never
//! carries text of the document, because that may be key material.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    algorithm::Algorithm,
    key::{KeyError, PrivateKey},
    set::KeySet,
    state::{Key, KeyState, Tombstone},
    thumbprint::Kid,
};

/// The version this code writes and reads.
const VERSION: u32 = 1;

/// More than a document needs per key, so that the buffer never grows: a copy left behind would not be wiped.
const BYTES_PER_KEY: usize = 4096;
const BYTES_PER_TOMBSTONE: usize = 256;

/// Why a document is not a key set. Restore the document from a backup; making new keys would break every verifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It ends before it should.
    #[error("the key document is cut off at line {line}, column {column}; restore it from a backup")]
    Truncated {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// It is not JSON.
    #[error("the key document is not JSON at line {line}, column {column}; restore it from a backup")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// It lacks a field, has one too many, or one of another type.
    #[error(
        "the key document has a missing, unknown or mistyped field at line {line}, column {column}; restore it from a backup"
    )]
    Shape {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Another version wrote it.
    #[error(
        "the key document has version {found}; this program reads version {VERSION}: use the program that wrote it"
    )]
    Version {
        /// What it says.
        found: u32,
    },
    /// It is not what was written.
    #[error(
        "the key document does not match its checksum: it was damaged or edited after it was written; restore it from a backup"
    )]
    Checksum,
    /// It has no keys.
    #[error("the key document holds no key; restore it from a backup")]
    Empty,
    /// A key does not parse.
    #[error("key {kid} of the key document is unusable; restore the document from a backup")]
    Key {
        /// Which key.
        kid: Kid,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A key is not base64.
    #[error("key {kid} of the key document is not base64; restore the document from a backup")]
    Encoding {
        /// Which key.
        kid: Kid,
    },
    /// The id is that of another key.
    #[error("key {kid} of the key document has the thumbprint {thumbprint}; restore the document from a backup")]
    Thumbprint {
        /// What it is called.
        kid: Kid,
        /// What it is.
        thumbprint: Kid,
    },
    /// Two keys are one.
    #[error("key {kid} is in the key document twice; restore the document from a backup")]
    Duplicate {
        /// Which key.
        kid: Kid,
    },
    /// A revoked key has come back.
    #[error(
        "key {kid} of the key document was revoked at {revoked_at} and must not be used again; restore a later document"
    )]
    Revoked {
        /// Which key.
        kid: Kid,
        /// When.
        revoked_at: Timestamp,
    },
    /// Two keys have a state that only one may have.
    #[error("the key document has more than one {algorithm} key that is {state}; restore it from a backup")]
    Ambiguous {
        /// Of which kind.
        algorithm: Algorithm,
        /// Which state.
        state: &'static str,
    },
}

/// Only what tells the version, so that a document of another version is named as such.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    /// SHA-256 of `set` in compact form, in hexadecimal digits.
    sha256: String,
    set: Body,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    keys: Vec<KeyRecord>,
    revoked: Vec<Tombstone>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRecord {
    kid: Kid,
    algorithm: Algorithm,
    published_at: Timestamp,
    state: KeyState,
    /// Base64 of the DER form.
    pkcs8: Zeroizing<String>,
}

impl KeySet {
    /// The document to store. It holds the private keys.
    ///
    /// # Errors
    /// When a date cannot be written (outside the years 0 to 9999).
    pub fn to_json(&self) -> Result<Zeroizing<String>, serde_json::Error> {
        let set = Body { keys: self.keys.iter().map(KeyRecord::of).collect(), revoked: self.revoked.clone() };
        let document = Document { version: VERSION, sha256: set.checksum()?, set };
        let mut json = document.set.buffer();
        serde_json::to_writer_pretty(&mut *json, &document)?;
        json.push(b'\n');
        let text = String::from_utf8(std::mem::take(&mut *json)).map_err(serde::ser::Error::custom)?;
        Ok(Zeroizing::new(text))
    }

    /// Reads a stored document.
    ///
    /// # Errors
    /// When it is not exactly what [`KeySet::to_json`] wrote. Never repaired.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, DocumentError> {
        let json = json.as_ref();
        let head: Head = serde_json::from_slice(json).map_err(|error| unreadable(&error))?;
        if head.version != VERSION {
            return Err(DocumentError::Version { found: head.version });
        }
        let document: Document = serde_json::from_slice(json).map_err(|error| unreadable(&error))?;
        let checksum = document.set.checksum().map_err(|_| DocumentError::Checksum)?;
        if checksum != document.sha256 {
            return Err(DocumentError::Checksum);
        }
        let keys = document.set.keys.iter().map(KeyRecord::parse).collect::<Result<_, _>>()?;
        let set = Self { keys, revoked: document.set.revoked };
        set.check()?;
        Ok(set)
    }

    /// The laws a set of keys obeys at any time.
    fn check(&self) -> Result<(), DocumentError> {
        if self.keys.is_empty() {
            return Err(DocumentError::Empty);
        }
        for (position, key) in self.keys.iter().enumerate() {
            let kid = key.kid();
            if self.keys.iter().skip(position + 1).any(|other| other.kid() == kid) {
                return Err(DocumentError::Duplicate { kid: kid.clone() });
            }
            if let Some(tombstone) = self.revoked.iter().find(|tombstone| tombstone.kid == *kid) {
                return Err(DocumentError::Revoked { kid: kid.clone(), revoked_at: tombstone.revoked_at });
            }
        }
        for algorithm in Algorithm::ALL {
            for (state, is) in [("active", Key::is_active as fn(&Key) -> bool), ("next", Key::is_next)] {
                if self.keys.iter().filter(|key| key.algorithm() == algorithm && is(key)).count() > 1 {
                    return Err(DocumentError::Ambiguous { algorithm, state });
                }
            }
        }
        Ok(())
    }
}

impl Body {
    fn checksum(&self) -> Result<String, serde_json::Error> {
        let mut json = self.buffer();
        serde_json::to_writer(&mut *json, self)?;
        let digest = digest::digest(&digest::SHA256, &json);
        Ok(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn buffer(&self) -> Zeroizing<Vec<u8>> {
        let size = (self.keys.len() + 1) * BYTES_PER_KEY + self.revoked.len() * BYTES_PER_TOMBSTONE;
        Zeroizing::new(Vec::with_capacity(size))
    }
}

impl KeyRecord {
    fn of(key: &Key) -> Self {
        Self {
            kid: key.kid().clone(),
            algorithm: key.algorithm(),
            published_at: key.published_at,
            state: key.state,
            pkcs8: Zeroizing::new(STANDARD.encode(key.private.pkcs8())),
        }
    }

    fn parse(&self) -> Result<Key, DocumentError> {
        let kid = || self.kid.clone();
        let pkcs8 =
            STANDARD.decode(&*self.pkcs8).map(Zeroizing::new).map_err(|_| DocumentError::Encoding { kid: kid() })?;
        let private = PrivateKey::from_pkcs8(self.algorithm, &pkcs8)
            .map_err(|source| DocumentError::Key { kid: kid(), source })?;
        if *private.kid() != self.kid {
            return Err(DocumentError::Thumbprint { kid: kid(), thumbprint: private.kid().clone() });
        }
        Ok(Key { private, published_at: self.published_at, state: self.state })
    }
}

/// Keeps the position and drops the text, which may quote the document.
fn unreadable(error: &serde_json::Error) -> DocumentError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Eof => DocumentError::Truncated { line, column },
        serde_json::error::Category::Data => DocumentError::Shape { line, column },
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            DocumentError::NotJson { line, column }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        key::{KeyGenerator as _, SystemKeyGenerator},
        state::Lead,
    };

    #[test]
    fn the_buffer_has_room_for_the_largest_record() {
        let longest: Timestamp = "2026-01-01T00:00:00.123456789Z".parse().unwrap();
        let state = KeyState::Retired {
            activated_at: longest,
            lead: Lead::Observed,
            retired_at: longest,
            tokens_expire_by: longest,
        };
        let private = SystemKeyGenerator.generate(Algorithm::Rs256).unwrap();
        let tombstone = Tombstone { kid: private.kid().clone(), algorithm: Algorithm::Rs256, revoked_at: longest };
        let record = KeyRecord::of(&Key { private, published_at: longest, state });
        assert!(serde_json::to_string_pretty(&record).unwrap().len() + 500 < BYTES_PER_KEY);
        assert!(serde_json::to_string_pretty(&tombstone).unwrap().len() + 50 < BYTES_PER_TOMBSTONE);
    }
}
