//! The collected client data that a key signs the hash of (WebAuthn Level 3 §5.8.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::issuer_url::IssuerUrl;

/// What the key is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// A new credential.
    Create,
    /// A signature.
    Get,
}

/// The client data in the serialisation of §5.8.1.1. The origin is the configured issuer's, never one a server named.
pub(super) fn collect(operation: Operation, challenge: &[u8], issuer: &IssuerUrl) -> Vec<u8> {
    let kind = match operation {
        Operation::Create => "webauthn.create",
        Operation::Get => "webauthn.get",
    };
    let challenge = URL_SAFE_NO_PAD.encode(challenge);
    let origin = serde_json::Value::from(issuer.origin());
    format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":{origin},"crossOrigin":false}}"#).into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn has_exactly_the_bytes_the_specification_gives() {
        let issuer: IssuerUrl = "https://vouch.example.com:8443/team".parse().unwrap();
        assert_eq!(
            String::from_utf8(collect(Operation::Get, &[0xFB, 0xFF], &issuer)).unwrap(),
            r#"{"type":"webauthn.get","challenge":"-_8","origin":"https://vouch.example.com:8443","crossOrigin":false}"#
        );
        assert!(collect(Operation::Create, &[], &issuer).starts_with(br#"{"type":"webauthn.create","challenge":"","#));
    }
}
