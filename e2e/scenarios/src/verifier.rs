//! Somebody who is given tokens and knows a key set: RFC 7515 and RFC 7517, and nothing of the product.

use std::collections::BTreeSet;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// Verifies the signature of an ES256 token by a key set.
///
/// # Errors
/// What a relying party would say.
pub fn verify(token: &str, key_set: &Value) -> Result<(), String> {
    let parts: Vec<&str> = token.split('.').collect();
    let &[header, claims, signature] = parts.as_slice() else { return Err("no token".to_owned()) };
    let header: Value = serde_json::from_slice(&decode(header)?).map_err(|error| error.to_string())?;
    let keys = key_set["keys"].as_array().ok_or("no key set")?;
    let key = keys.iter().find(|key| key["kid"] == header["kid"]);
    let key = key.ok_or_else(|| format!("the key {} is none of {:?}", header["kid"], key_ids(key_set)))?;
    let coordinate = |name: &str| decode(key[name].as_str().unwrap_or_default());
    // SEC 1 §2.3.3, uncompressed.
    let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
    let signed = format!("{}.{claims}", parts[0]);
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(signed.as_bytes(), &decode(signature)?)
        .map_err(|_| format!("the signature by key {} is wrong", header["kid"]))
}

/// The key that signed a token, as the token says.
///
/// # Panics
/// When it is no token.
#[must_use]
pub fn signer(token: &str) -> String {
    let header = decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// When a token was made, in seconds, by the clock of whoever made it.
///
/// # Panics
/// When it is no token.
#[must_use]
pub fn issued_at(token: &str) -> i64 {
    let claims = decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["iat"].as_i64().unwrap()
}

/// The ids of the keys of a key set.
#[must_use]
pub fn key_ids(key_set: &Value) -> BTreeSet<String> {
    let keys = key_set["keys"].as_array().into_iter().flatten();
    keys.filter_map(|key| key["kid"].as_str().map(str::to_owned)).collect()
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| error.to_string())
}
