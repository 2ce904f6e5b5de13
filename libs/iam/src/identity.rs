//! E-mail addresses that AWS can carry as session name, source identity and session tag.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};

/// An e-mail address, in lower case, that AWS can carry.
///
/// The bounds are those of `RoleSessionName` and of the source identity: 2 to 64 characters of `[\w+=,.@-]`, not
/// beginning with `aws:` (STS API reference, `AssumeRole`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress(String);

/// Why AWS could not carry an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// No local part, no domain, or more than one `@`.
    #[error("`{0}` is not an e-mail address of the form name@domain")]
    Shape(String),
    /// AWS takes at most 64 characters as session name and source identity.
    #[error("`{email}` has {length} characters; AWS carries at most 64")]
    TooLong {
        /// The address.
        email: String,
        /// Its length in characters.
        length: usize,
    },
    /// A character AWS refuses in a session name.
    #[error("`{email}` contains {character:?}, which AWS refuses in session names; letters, digits and _+=,.@- are allowed")]
    Character {
        /// The address.
        email: String,
        /// The first character at fault.
        character: char,
    },
}

impl EmailAddress {
    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part behind the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl FromStr for EmailAddress {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        let email = text.trim().to_ascii_lowercase();
        let shape = || EmailError::Shape(text.to_owned());
        let (local, domain) = email.split_once('@').ok_or_else(shape)?;
        if local.is_empty() || domain.is_empty() || domain.contains('@') || domain.starts_with('.') || domain.ends_with('.') {
            return Err(shape());
        }
        if let Some(character) = email.chars().find(|c| !(c.is_ascii_alphanumeric() || "_+=,.@-".contains(*c))) {
            return Err(EmailError::Character { email, character });
        }
        if email.len() > 64 {
            return Err(EmailError::TooLong { length: email.len(), email });
        }
        Ok(Self(email))
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for EmailAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EmailAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
