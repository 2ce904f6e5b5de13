//! Puts an attestation object together again (WebAuthn Level 3 §6.5.4).
//!
//! The CTAP library hands out its parts only. Members are in CTAP2 canonical order, so that the bytes are those of the
//! key.

use ciborium::value::Value;

/// The parts of an attestation, as the key sent them.
#[derive(Debug, Clone)]
pub(super) struct Parts<'a> {
    /// The attestation statement format.
    pub(super) format: &'a str,
    /// COSE algorithm of the signature.
    pub(super) algorithm: i32,
    /// The attestation signature.
    pub(super) signature: &'a [u8],
    /// The attestation certificate and its chain, DER; empty for self attestation.
    pub(super) certificates: &'a [Vec<u8>],
    /// The authenticator data.
    pub(super) authenticator_data: &'a [u8],
}

/// The attestation object as CBOR.
///
/// # Errors
/// When it cannot be written; memory is the only thing that can fail here.
pub(super) fn encode(parts: &Parts<'_>) -> Result<Vec<u8>, ciborium::ser::Error<std::io::Error>> {
    let object = Value::Map(vec![
        (text("fmt"), text(parts.format)),
        (text("attStmt"), Value::Map(statement(parts))),
        (text("authData"), bytes(parts.authenticator_data)),
    ]);
    let mut cbor = Vec::with_capacity(parts.authenticator_data.len() + 1024);
    ciborium::into_writer(&object, &mut cbor)?;
    Ok(cbor)
}

fn statement(parts: &Parts<'_>) -> Vec<(Value, Value)> {
    let algorithm = (text("alg"), Value::Integer(parts.algorithm.into()));
    let signature = (text("sig"), bytes(parts.signature));
    let chain = || (text("x5c"), Value::Array(parts.certificates.iter().map(|der| bytes(der)).collect()));
    match parts.format {
        "none" => Vec::new(),
        // WebAuthn Level 3 §8.6 knows no `alg`.
        "fido-u2f" => vec![signature, chain()],
        _ if parts.certificates.is_empty() => vec![algorithm, signature],
        _ => vec![algorithm, signature, chain()],
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn bytes(value: &[u8]) -> Value {
    Value::Bytes(value.to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn encoded(format: &str, certificates: &[Vec<u8>]) -> String {
        let parts = Parts { format, algorithm: -7, signature: &[1, 2], certificates, authenticator_data: &[9] };
        hex(&encode(&parts).unwrap())
    }

    #[test]
    fn a_packed_statement_with_a_certificate_has_alg_sig_and_x5c() {
        assert_eq!(
            encoded("packed", &[vec![7]]),
            "a363666d74667061636b65646761747453746d74a363616c67266373696742010263783563814107686175746844617461\
             4109"
        );
    }

    #[test]
    fn self_attestation_has_no_certificates() {
        assert_eq!(
            encoded("packed", &[]),
            "a363666d74667061636b65646761747453746d74a263616c672663736967420102686175746844617461\
             4109"
        );
    }

    #[test]
    fn no_attestation_is_an_empty_statement() {
        assert_eq!(
            encoded("none", &[]),
            "a363666d74646e6f6e656761747453746d74a0686175746844617461\
             4109"
        );
    }

    #[test]
    fn a_u2f_statement_has_no_algorithm() {
        assert_eq!(
            encoded("fido-u2f", &[vec![7]]),
            "a363666d74686669646f2d7532666761747453746d74a26373696742010263783563814107686175746844617461\
             4109"
        );
    }
}
