//! The issuer's URL: the `iss` of every token, the name of the identity provider in AWS, the WebAuthn origin.

use std::{fmt, sync::Arc};

use vouch_issuer_api::shown::without_userinfo;

/// An issuer URL as the schema of `VouchIssuer` accepts it: `https://HOST` or `https://HOST/PATH`, in lower case up to
/// the path, without port, query, fragment or trailing slash. AWS and every verifier compare it byte for byte, so it is
/// kept as it was written, and whatever is derived from it is a part of that text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IssuerUrl {
    text: Arc<str>,
    host_end: usize,
}

const SCHEME: &str = "https://";

/// The text is no issuer URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` is not an issuer URL such as https://vouch.example.com: {fault}")]
pub struct IssuerUrlError {
    /// Without the user and the password that it may name.
    url: String,
    /// The first rule that is broken.
    fault: &'static str,
}

impl IssuerUrl {
    /// The whole URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL without `https://`: how IAM names the provider and prefixes condition keys.
    #[must_use]
    pub fn without_scheme(&self) -> &str {
        self.text.strip_prefix(SCHEME).unwrap_or(&self.text)
    }

    /// The host: the WebAuthn relying-party id.
    #[must_use]
    pub fn host(&self) -> &str {
        self.origin().strip_prefix(SCHEME).unwrap_or_default()
    }

    /// Scheme and host: the WebAuthn origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.text.get(..self.host_end).unwrap_or(&self.text)
    }

    /// What endpoint paths are appended to: empty, or a path that begins with a slash and does not end with one.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.host_end..).unwrap_or_default()
    }

    /// The URL of an endpoint, whose path begins with a slash.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }
}

impl std::str::FromStr for IssuerUrl {
    type Err = IssuerUrlError;

    fn from_str(text: &str) -> Result<Self, IssuerUrlError> {
        let error = |fault| IssuerUrlError { url: without_userinfo(text), fault };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| error("it does not begin with https://"))?;
        let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        match fault(text, host, path) {
            None => Ok(Self { text: text.into(), host_end: SCHEME.len() + host.len() }),
            Some(fault) => Err(error(fault)),
        }
    }
}

/// What is wrong with a URL of these parts: where several rules are broken, the one that explains most.
fn fault(text: &str, host: &str, path: &str) -> Option<&'static str> {
    let faults = [
        (text.len() > 255, "it is longer than 255 characters"),
        (text.contains('?'), "it has a query"),
        (text.contains('#'), "it has a fragment"),
        (host.is_empty(), "it names no host"),
        (path.ends_with('/'), "it ends with a slash"),
        (host.starts_with('['), "its host is an IP address"),
        (host.contains('@'), "it names a user"),
        (host.bytes().any(|byte| byte.is_ascii_uppercase()), "its host is not in lower case"),
        (host.contains(':'), "it names a port"),
        (!is_host(host), "its host has other parts than letters, digits and dashes between single dots"),
        (!is_domain(text, host), "its host is no domain name that security keys take"),
        (!path.is_empty() && !path.split('/').skip(1).all(is_segment), "its path has other parts than ordinary words"),
    ];
    faults.into_iter().find_map(|(broken, fault)| broken.then_some(fault))
}

fn is_host(host: &str) -> bool {
    host.split('.').all(|label| {
        let ends_well = !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        ends_well && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    })
}

/// Whether the host is a domain name to WebAuthn, spelt as it would spell it: a relying party is never an address
/// (WebAuthn §5.1.2, `rp.id`).
fn is_domain(text: &str, host: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| url.domain() == Some(host))
}

fn is_segment(segment: &str) -> bool {
    !["", ".", ".."].contains(&segment) && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b))
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn every_part_is_a_part_of_the_text() {
        let url: IssuerUrl = "https://vouch.example.com".parse().unwrap();
        assert_eq!((url.host(), url.origin(), url.path()), ("vouch.example.com", "https://vouch.example.com", ""));
        let url: IssuerUrl = "https://id.example.com/Vouch/eu".parse().unwrap();
        assert_eq!((url.host(), url.origin(), url.path()), ("id.example.com", "https://id.example.com", "/Vouch/eu"));
        assert_eq!(url.without_scheme(), "id.example.com/Vouch/eu");
        assert_eq!(url.endpoint("/oauth/token"), "https://id.example.com/Vouch/eu/oauth/token");
        assert_eq!(url.to_string(), "https://id.example.com/Vouch/eu");
    }

    #[test]
    fn refuses_whatever_two_parties_could_write_in_two_ways_and_names_the_rule() {
        for (text, fault) in [
            ("http://vouch.example.com", "does not begin with https://"),
            ("https://vouch.example.com/", "ends with a slash"),
            ("https://vouch.example.com/a/", "ends with a slash"),
            ("https://vouch.example.com//a", "its path"),
            ("https://vouch.example.com/a/./b", "its path"),
            ("https://vouch.example.com/..", "its path"),
            ("https://Vouch.example.com", "not in lower case"),
            ("https://vouch.example.com:443", "names a port"),
            ("https://vouch.example.com?a=b", "has a query"),
            ("https://vouch.example.com#a", "has a fragment"),
            ("https://vouch.example.com/%61", "its path"),
            ("https://", "names no host"),
            ("https:///a", "names no host"),
            ("https://vouch..example.com", "between single dots"),
            ("https://vouch.example.com.", "between single dots"),
            (" https://vouch.example.com", "does not begin with https://"),
            ("HTTPS://vouch.example.com", "does not begin with https://"),
            ("https://[2001:db8::1]", "is an IP address"),
            ("https://192.0.2.1", "no domain name"),
            ("https://127.1", "no domain name"),
            ("https://0xc0000201", "no domain name"),
            ("https://vouch.example.1", "no domain name"),
            ("https://xn--a.example.com", "no domain name"),
        ] {
            let told = text.parse::<IssuerUrl>().unwrap_err().to_string();
            assert!(told.starts_with(&format!("`{text}` is not an issuer URL")) && told.contains(fault), "{told}");
        }
        for text in
            ["https://alice:secret@vouch.example.com", "http://alice:secret@vouch.example.com", "alice:secret@vouch"]
        {
            let told = text.parse::<IssuerUrl>().unwrap_err();
            let shown = format!("{told} {told:?}");
            assert!(!shown.contains("alice") && !shown.contains("secret"), "{shown}");
        }
        let told = "https://alice@vouch.example.com".parse::<IssuerUrl>().unwrap_err().to_string();
        assert!(
            told.starts_with("`https://…@vouch.example.com` is not") && told.ends_with("it names a user"),
            "{told}"
        );
        let long = format!("https://vouch.example.com/{}", "a".repeat(256)).parse::<IssuerUrl>().unwrap_err();
        assert!(long.to_string().ends_with("it is longer than 255 characters"), "{long}");
    }
}
