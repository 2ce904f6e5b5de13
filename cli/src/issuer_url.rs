//! The issuer's URL as one byte-exact string.
//!
//! `iss`, the discovery document, the AWS provider and the WebAuthn origin are all compared with it. A URL library
//! would add a slash at the end, so the text is kept as it was given and only checked.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};
use url::Url;
use vouch_issuer_api::{invite, shown::without_userinfo};

/// An issuer: `https`, lower-case host, no credentials, query, fragment or trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IssuerUrl {
    text: String,
    url: Url,
}

/// Why a text is no issuer URL. None holds a user or a password that the text has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerUrlError {
    /// Not a URL at all.
    #[error("`{0}` is not a URL; the form is https://vouch.example.com")]
    NotUrl(String),
    /// Sign-ins need TLS.
    #[error("`{0}` must begin with https://")]
    NotHttps(String),
    /// Security keys sign for names.
    #[error("`{0}` has an address for a host; security keys need a name, such as https://vouch.example.com")]
    NotName(String),
    /// An invite code in the place of the URL.
    #[error(
        "that is an invite code; the issuer's URL goes here, and the code is asked for: vouch enroll https://vouch.example.com"
    )]
    InviteCode,
    /// A person in the place of the URL.
    #[error(
        "`{0}` is an e-mail address; give the issuer's URL, such as https://vouch.example.com: the security key knows whose it is"
    )]
    Email(String),
    /// Something an issuer may not have, or another spelling of it.
    #[error("`{given}` is not an issuer; it must be written exactly `{canonical}`")]
    NotCanonical {
        /// As it was given.
        given: String,
        /// As it would be right.
        canonical: String,
    },
}

impl IssuerUrl {
    /// Reads what a person typed: a missing scheme and a slash at the end do not matter.
    ///
    /// # Errors
    /// When it is still no issuer URL.
    pub fn from_person(text: &str) -> Result<Self, IssuerUrlError> {
        let text = text.trim();
        if invite::is_code(text) {
            return Err(IssuerUrlError::InviteCode);
        }
        if text.contains('@') && !text.contains(['/', ':']) {
            return Err(IssuerUrlError::Email(text.to_owned()));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        match rest.trim_end_matches('/') {
            "" => Err(IssuerUrlError::NotUrl(without_userinfo(text))),
            rest => format!("{scheme}://{rest}").parse(),
        }
    }

    /// The exact text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL of one of the issuer's paths, which begin with a slash.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// The host, which is also the WebAuthn relying-party id.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Host and, when it is not 443, port: how the issuer is called in messages.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.url.authority()
    }

    /// The WebAuthn origin (RFC 6454 §6.2), without a slash.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The parsed URL. Its text has a slash at the end when there is no path.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }
}

impl FromStr for IssuerUrl {
    type Err = IssuerUrlError;

    fn from_str(text: &str) -> Result<Self, IssuerUrlError> {
        let shown = || without_userinfo(text);
        let mut url = Url::parse(text).map_err(|_| IssuerUrlError::NotUrl(shown()))?;
        if url.scheme() != "https" {
            return Err(IssuerUrlError::NotHttps(shown()));
        }
        if !matches!(url.host(), Some(url::Host::Domain(_))) {
            return Err(IssuerUrlError::NotName(shown()));
        }
        url.set_query(None);
        url.set_fragment(None);
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return Err(IssuerUrlError::NotUrl(shown()));
        }
        let canonical = url.as_str().trim_end_matches('/');
        // No issuer has one in its path: what is before it was meant for a user and a password.
        if canonical.contains('@') {
            return Err(IssuerUrlError::NotUrl(shown()));
        }
        if canonical != text {
            return Err(IssuerUrlError::NotCanonical { given: shown(), canonical: canonical.to_owned() });
        }
        Ok(Self { text: text.to_owned(), url })
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for IssuerUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for IssuerUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_text_stays_as_it_was_given() {
        for text in ["https://vouch.example.com", "https://vouch.example.com:8443", "https://example.com/vouch"] {
            let issuer: IssuerUrl = text.parse().unwrap();
            assert_eq!(issuer.as_str(), text);
            assert_eq!(issuer.join("/oauth/token"), format!("{text}/oauth/token"));
        }
    }

    #[test]
    fn refuses_every_other_spelling() {
        for text in [
            "https://vouch.example.com/",
            "https://Vouch.example.com",
            "https://vouch.example.com:443",
            "https://vouch.example.com?x=1",
            "https://vouch.example.com#x",
            "https://alice:secret@vouch.example.com",
            "http://vouch.example.com",
            "vouch.example.com",
            "https://127.0.0.1:8443",
            "https://[::1]",
            "https://",
            "",
        ] {
            assert!(text.parse::<IssuerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_person_may_leave_out_the_scheme_and_add_a_slash() {
        for text in ["vouch.example.com", "vouch.example.com/", " https://vouch.example.com/ "] {
            assert_eq!(IssuerUrl::from_person(text).unwrap().as_str(), "https://vouch.example.com");
        }
    }

    #[test]
    fn a_code_or_a_person_in_the_place_of_the_issuer_is_recognised() {
        assert_eq!(IssuerUrl::from_person("7KQF-29MD-W3XA"), Err(IssuerUrlError::InviteCode));
        let email = IssuerUrl::from_person("alice@example.com").unwrap_err().to_string();
        assert!(email.contains("the security key knows whose it is"), "{email}");
    }

    #[test]
    fn what_a_person_typed_is_named_as_they_typed_it() {
        for text in ["", "https://", "https:///", "http://vouch.example.com", "https://vouch example.com"] {
            let error = IssuerUrl::from_person(text).unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn no_refusal_shows_a_user_or_a_password() {
        for text in [
            "https://alice:secret@vouch.example.com",
            "https://alice:sec/ret@vouch.example.com",
            "http://alice:secret@vouch.example.com",
            "https://alice:secret@192.0.2.1",
            "https://alice:secret@",
            "https://alice:secret@vouch example.com",
            "alice:secret@vouch.example.com",
            "alice:secret@vouch.example.com/eu",
            "https:/alice:secret@vouch.example.com",
            "https://alice:1/secret@vouch.example.com",
            "alice:se://cret@vouch.example.com",
        ] {
            for error in [text.parse::<IssuerUrl>().unwrap_err(), IssuerUrl::from_person(text).unwrap_err()] {
                let told = format!("{error} {error:?}");
                assert!(told.contains("…@") && !told.contains("alice") && !told.contains("ret@"), "{text}: {told}");
            }
        }
    }

    #[test]
    fn the_origin_has_no_path_and_the_authority_keeps_an_unusual_port() {
        let issuer: IssuerUrl = "https://vouch.example.com:8443/x".parse().unwrap();
        assert_eq!(issuer.origin(), "https://vouch.example.com:8443");
        assert_eq!(issuer.authority(), "vouch.example.com:8443");
        assert_eq!(issuer.host(), "vouch.example.com");
    }
}
