//! E-mail addresses that AWS can carry as session name, source identity and session tag, and their domains.
//!
//! Both are kept in lower case and compared whole. A domain never matches a subdomain or a name that merely ends alike.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};

/// An e-mail address, in lower case, that AWS can carry.
///
/// It has to be a `RoleSessionName` and a source identity, 2 to 64 characters of `[\w+=,.@-]` not beginning with `aws:`
/// (STS API reference, `AssumeRole`), and the value of a session tag, which has no comma (`Tag`).
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
    #[error(
        "`{email}` contains {character:?}, which AWS refuses in session names or tags; letters, digits and _+=.@- are allowed"
    )]
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
        if local.is_empty() || domain.is_empty() || domain.contains('@') {
            return Err(shape());
        }
        if let Some(character) = email.chars().find(|c| !(c.is_ascii_alphanumeric() || "_+=.@-".contains(*c))) {
            return Err(EmailError::Character { email, character });
        }
        if !is_domain(domain) {
            return Err(shape());
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

/// A domain of e-mail addresses, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailDomain(String);

/// The text is no domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a domain such as example.com")]
pub struct DomainError(String);

impl EmailDomain {
    /// The domain.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an address is in this very domain.
    #[must_use]
    pub fn contains(&self, email: &EmailAddress) -> bool {
        email.domain() == self.0
    }
}

impl FromStr for EmailDomain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        let domain = text.to_ascii_lowercase();
        if is_domain(&domain) { Ok(Self(domain)) } else { Err(DomainError(text.to_owned())) }
    }
}

impl fmt::Display for EmailDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// At least two labels of RFC 1123 §2.1, in lower case.
fn is_domain(text: &str) -> bool {
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(|label| {
            let ends_well = !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
            ends_well && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_kept_in_lower_case() {
        let email: EmailAddress = " Alice.Smith+ops@Example.COM ".parse().unwrap();
        assert_eq!(email.as_str(), "alice.smith+ops@example.com");
        assert_eq!(email.domain(), "example.com");
    }

    #[test]
    fn refuses_what_aws_cannot_carry_and_says_why() {
        let too_long = format!("{}@example.com", "a".repeat(53));
        let wrong = [
            ("alice", "is not an e-mail address"),
            ("@example.com", "is not an e-mail address"),
            ("alice@", "is not an e-mail address"),
            ("alice@bob@example.com", "is not an e-mail address"),
            ("alice@example", "is not an e-mail address"),
            ("alice@example..com", "is not an e-mail address"),
            ("alice@-example.com", "is not an e-mail address"),
            ("alice@example,com", "contains ','"),
            ("smith,alice@example.com", "contains ','"),
            ("o'neil@example.com", "contains '\\''"),
            ("a%b@example.com", "contains '%'"),
            ("älice@example.com", "contains 'ä'"),
            (&too_long, "has 65 characters; AWS carries at most 64"),
        ];
        for (text, sentence) in wrong {
            let error = text.parse::<EmailAddress>().unwrap_err().to_string();
            assert!(error.contains(sentence), "{text}: {error}");
        }
        assert!(format!("{}@example.com", "a".repeat(52)).parse::<EmailAddress>().is_ok());
    }

    #[test]
    fn a_domain_contains_its_own_addresses_and_no_others() {
        let domain: EmailDomain = "Example.com".parse().unwrap();
        let inside = "alice@example.com".parse().unwrap();
        assert!(domain.contains(&inside));
        for text in
            ["alice@evil-example.com", "alice@example.com.evil", "alice@sub.example.com", "example.com@example.org"]
        {
            assert!(!domain.contains(&text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_domain() {
        for text in
            ["", "com", ".com", "example.", "example..com", "*.example.com", "@example.com", "exam ple.com", "-a.com"]
        {
            assert!(text.parse::<EmailDomain>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_fits_a_session_name(text in "\\PC{0,80}|[a-zA-Z0-9_+=,.-]{1,60}@[a-z.-]{1,20}") {
            if let Ok(email) = text.parse::<EmailAddress>() {
                let text = email.as_str();
                prop_assert!((2..=64).contains(&text.len()));
                prop_assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "_+=.@-".contains(c)));
                prop_assert!(!text.starts_with("aws:"));
                prop_assert_eq!(text.parse::<EmailAddress>().unwrap(), email.clone());
                prop_assert!(email.domain().parse::<EmailDomain>().unwrap().contains(&email));
            }
        }
    }
}
