//! What a man in the middle would do to a token: the fault is in the token, and the verdict is the verifier's own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The token with another subject under the old signature; `None` when it is no token.
#[must_use]
pub fn tampered(token: &str) -> Option<String> {
    let (header, rest) = token.split_once('.')?;
    let (payload, signature) = rest.split_once('.')?;
    let mut claims: Map<String, Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims.insert("sub".to_owned(), Value::from("mallory@example.com"));
    let payload = URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string());
    Some(format!("{header}.{payload}.{signature}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::tampered;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    #[test]
    fn names_somebody_else_under_the_old_signature() {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"sub":"alice@example.com"}"#));
        let changed = tampered(&token).unwrap();
        let parts: Vec<&str> = changed.split('.').collect();
        assert_eq!((parts.first(), parts.last()), (Some(&"e30"), Some(&"c2ln")));
        let payload = parts.get(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).unwrap();
        assert_eq!(payload, br#"{"sub":"mallory@example.com"}"#);
        assert_eq!(tampered("an access token"), None);
    }
}
