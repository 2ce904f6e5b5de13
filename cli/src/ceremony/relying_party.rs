//! The check that makes a security key phishing-resistant: who may ask it for a signature.

use super::CeremonyError;
use crate::issuer_url::IssuerUrl;

/// Refuses a relying-party id that is not the host of the configured issuer.
///
/// WebAuthn Level 3 §5.1.3 would also allow a registrable suffix of the host. Telling one from a public suffix takes a
/// list that is never complete, and the issuer's relying party is always its host, so only that is allowed.
pub(super) fn check(issuer: &IssuerUrl, rp_id: &str) -> Result<(), CeremonyError> {
    if !rp_id.is_empty() && rp_id == issuer.host() {
        return Ok(());
    }
    let rp_id = rp_id.chars().filter(|c| !c.is_control()).take(253).collect();
    Err(CeremonyError::ForeignRelyingParty { host: issuer.host().to_owned(), rp_id })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_the_host_of_the_configured_issuer_may_ask() {
        let issuer: IssuerUrl = "https://vouch.example.com:8443/team".parse().unwrap();
        assert!(check(&issuer, "vouch.example.com").is_ok());
        for foreign in [
            "",
            "com",
            "example.com",
            "evil.example.com",
            "a.vouch.example.com",
            "vouch.example.com.evil.example",
            "VOUCH.example.com",
            "vouch.example.com:8443",
            "vouch.example.com.",
        ] {
            let refused = check(&issuer, foreign);
            assert!(matches!(refused, Err(CeremonyError::ForeignRelyingParty { .. })), "{foreign}");
        }
    }
}
