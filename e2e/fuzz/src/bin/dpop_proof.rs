//! No text is a proof of possession unless the key signed it for this moment: any input is refused, none is fatal.
#![no_main]

use std::sync::LazyLock;

use http::Method;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use vouch_issuer::identity::{
    dpop::{ExpectedRequest, verify},
    secrets::Secrets,
};

const TOKEN_URL: &str = "https://vouch.example.com/oauth/token";

static SECRETS: LazyLock<Secrets> = LazyLock::new(|| Secrets::derive(&[7; 32]).expect("keys can be derived"));

fuzz_target!(|proof: &str| {
    for token in [None, Some("header.claims.signature")] {
        let expected = ExpectedRequest { method: &Method::POST, url: TOKEN_URL, token };
        let verdict = verify(proof, &expected, &SECRETS, Timestamp::MIN, Timestamp::UNIX_EPOCH);
        assert!(verdict.is_err(), "a proof without a current nonce was taken");
    }
});
