//! Whatever a USB device that calls itself a security key answers to the CLI: it is understood or it is garbled, and the
//! CLI goes on. The crate that reads the answers may panic on odd input; what keeps that from the person is fuzzed with it.
#![no_main]

use ctap_hid_fido2::fidokey::{get_assertion::get_assertion_response, make_credential::make_credential_response};
use libfuzzer_sys::fuzz_target;
use vouch_cli::security_key::ctaphid::{assertion, attestation, guarded};

fuzz_target!(|answer: &[u8]| {
    // The first byte is the status, which the transport takes off (CTAP 2.1 §8.2.9.1.2); here it says what was asked.
    let Some((asked, answer)) = answer.split_first() else { return };
    if asked % 2 == 0 {
        if let Ok(made) = guarded(|| make_credential_response::parse_cbor(answer)) {
            let made = attestation(&made).expect("what was read can be written");
            assert!(made.credential_id.len() <= answer.len());
        }
    } else if let Ok(signed) = guarded(|| get_assertion_response::parse_cbor(answer, None)) {
        let signed = assertion(signed, Some(b"id"));
        assert!(!signed.credential_id.is_empty(), "an assertion of no credential");
    }
});
