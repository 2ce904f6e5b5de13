//! Why an issuer could not be asked, in the words of whoever set it up, and what to do about it.

use std::{error::Error as StdError, fmt, io};

use rustls::CertificateError;

use crate::http::tls::presented_names;

/// What happened to a request that got no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unanswered {
    /// What is so; `it` is who was asked.
    why: String,
    /// What to do.
    next: String,
    /// The error's own words, where ours leave something out.
    pub(super) words: Option<String>,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.why, self.next)
    }
}

impl Unanswered {
    fn new(why: impl Into<String>, next: impl Into<String>) -> Self {
        Self { why: why.into(), next: next.into(), words: None }
    }

    fn in_its_words(self, error: &dyn StdError) -> Self {
        Self { words: Some(error.to_string()), ..self }
    }

    /// Of a request to `host`.
    pub(super) fn of(host: &str, error: &reqwest::Error) -> Self {
        if let Some(tls) = find::<rustls::Error>(error) {
            return of_tls(host, tls);
        }
        let kind = find::<io::Error>(error).map(io::Error::kind);
        if error.is_dns() {
            return Self::new(
                format!("the name {host} is not known"),
                "Make a DNS record for it, or name where the issuer runs with --connect-to HOST:PORT",
            );
        }
        if error.is_timeout() {
            return Self::new(
                "it says nothing",
                "Let firewalls and security groups pass HTTPS to it: verifiers come from anywhere",
            );
        }
        if kind == Some(io::ErrorKind::ConnectionRefused) {
            return Self::new(
                "the connection is refused",
                "Start the issuer, and let what is in front of it answer at the URL's port; or name where it runs with \
                 --connect-to HOST:PORT",
            );
        }
        let next = "Look at the issuer's log and at what is in front of it";
        let last = std::iter::successors(Some(error as &dyn StdError), |&error| error.source()).last();
        Self::new("the connection failed", next).in_its_words(last.unwrap_or(error))
    }
}

/// Of a connection that could not be made secure.
fn of_tls(host: &str, error: &rustls::Error) -> Unanswered {
    use CertificateError as C;
    const RENEW: &str = "Set this machine's clock; if it is right, renew the certificate, which the issuer takes without \
                         a restart";
    let certificate = match error {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        rustls::Error::InvalidMessage(_) => {
            return Unanswered::new(
                "it does not speak TLS there",
                "Start the issuer with --tls-cert and --tls-key, or let a proxy end TLS in front of it",
            );
        }
        other => {
            let why = "no secure connection could be agreed on";
            return Unanswered::new(why, "Let it offer TLS 1.2 or 1.3").in_its_words(other);
        }
    };
    match certificate {
        C::Expired | C::ExpiredContext { .. } => {
            Unanswered::new("its certificate has expired, or this machine's clock is ahead", RENEW)
        }
        C::NotValidYet | C::NotValidYetContext { .. } => {
            Unanswered::new("its certificate is not valid yet, or this machine's clock is behind", RENEW)
        }
        C::NotValidForName | C::NotValidForNameContext { .. } => Unanswered::new(
            format!("its certificate is for another name than {host}{}", names(certificate)),
            format!("Get one with the subjectAltName DNS:{host}"),
        ),
        // A signature that does not fit comes from an authority with the name of a trusted one and another key.
        C::UnknownIssuer | C::BadSignature => Unanswered::new(
            "its certificate is not signed by an authority that is trusted here",
            "Let it send the whole chain, intermediate certificates included; of an authority of your own, name the PEM file \
             with --ca-file",
        ),
        other => Unanswered::new(
            "its certificate is none that a server may use",
            "Get one that is for servers and no authority: one of `openssl req -x509` needs -addext \
             basicConstraints=critical,CA:FALSE",
        )
        .in_its_words(&rustls::Error::InvalidCertificate(other.clone())),
    }
}

/// Whose a certificate is, in a parenthesis.
fn names(error: &CertificateError) -> String {
    let names = presented_names(error);
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

/// The first error of type `T` among the causes, also inside an [`io::Error`], whose own `source` skips what it wraps.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let inner =
        |error: &'a (dyn StdError + 'static)| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    std::iter::successors(Some(error), |&error| inner(error)).find_map(|error| error.downcast_ref::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_certificate_says_what_to_do_and_none_is_told_in_the_words_of_a_library() {
        use CertificateError as C;
        for (fault, why, next) in [
            (C::Expired, "has expired, or this machine's clock is ahead. ", "renew the certificate"),
            (C::NotValidYet, "is not valid yet, or this machine's clock is behind. ", "Set this machine's clock"),
            (C::NotValidForName, "another name than vouch.example.com. ", "subjectAltName DNS:vouch.example.com"),
            (C::UnknownIssuer, "by an authority that is trusted here. ", "--ca-file"),
            (C::BadEncoding, "none that a server may use. ", "CA:FALSE"),
        ] {
            let told = of_tls("vouch.example.com", &rustls::Error::InvalidCertificate(fault)).to_string();
            assert!(told.contains(why) && told.contains(next), "{told}");
            assert!(!told.contains("invalid peer certificate"), "{told}");
        }
        let plain =
            of_tls("vouch.example.com", &rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType));
        assert!(plain.to_string().contains("does not speak TLS there. Start the issuer with --tls-cert"), "{plain}");
    }
}
