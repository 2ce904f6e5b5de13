//! A JWT taken apart, strictly (RFC 7515 compact serialisation). Nothing here is trusted yet.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::wire::Fault;

const NOT_A_JWT: &str =
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";

/// The algorithms that AWS accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
}

/// A token, parsed and not verified.
#[derive(Debug, Clone)]
pub struct Jwt {
    /// `alg`.
    pub algorithm: Algorithm,
    /// `kid`; an empty one counts as absent.
    pub key_id: Option<String>,
    /// The payload; of a member that is there twice, the last.
    pub claims: Map<String, Value>,
    /// What the signature is over.
    pub signed: String,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Jwt {
    /// Takes a token apart.
    ///
    /// # Errors
    /// `InvalidIdentityToken` for a wrong number of parts, anything but unpadded base64url, JSON that is not an object,
    /// an algorithm that AWS does not accept, and a `crit` header.
    pub fn parse(token: &str) -> Result<Self, Fault> {
        Self::parts(token).ok_or_else(|| Fault::invalid_identity_token(NOT_A_JWT))
    }

    fn parts(token: &str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header = object(header)?;
        if header.contains_key("crit") {
            return None;
        }
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()).filter(|id| !id.is_empty()),
            Some(_) => return None,
        };
        Some(Self {
            algorithm: Algorithm::from_name(header.get("alg")?.as_str()?)?,
            key_id,
            claims: object(payload)?,
            signed: signed.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }
}

impl Algorithm {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            _ => return None,
        })
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Jwt;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn token(header: &str, payload: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn takes_a_token_apart() {
        let jwt = Jwt::parse(&token(r#"{"alg":"ES256","kid":"k"}"#, r#"{"aud":"first","aud":"last"}"#)).unwrap();
        assert_eq!((jwt.key_id.as_deref(), jwt.claims["aud"].as_str()), (Some("k"), Some("last")));
    }

    #[test]
    fn refuses_what_is_not_a_jwt() {
        let good = token(r#"{"alg":"ES256"}"#, "{}");
        let (signed, _) = good.rsplit_once('.').unwrap();
        let rows = [
            token(r#"{"alg":"HS256"}"#, "{}"),
            token(r#"{"alg":"none"}"#, "{}"),
            token(r#"{"alg":"PS256"}"#, "{}"),
            token(r#"{"alg":"EdDSA"}"#, "{}"),
            token(r#"{"alg":"ES256","crit":["b64"]}"#, "{}"),
            token(r#"{"alg":"ES256","kid":1}"#, "{}"),
            token("{}", "{}"),
            token(r#"{"alg":"ES256"}"#, "[]"),
            token(r#"{"alg":"ES256"}"#, "{"),
            "a.b".to_owned(),
            format!("{good}.x"),
            format!("{signed}.c2ln="),
            format!("{signed}.a+b/"),
            "an access token".to_owned(),
        ];
        for row in rows {
            let fault = Jwt::parse(&row).unwrap_err();
            assert_eq!(fault.code, "InvalidIdentityToken", "{row}");
            assert_eq!(
                fault.message,
                "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
                "{row}"
            );
        }
    }
}
