//! Claims that every token must have, and whom they name.

use serde_json::{Map, Value};

use super::NOT_VALIDATED;
use crate::wire::Fault;

const REQUIRED: [&str; 5] = ["iss", "sub", "aud", "iat", "exp"];
const SEVERAL_AUDIENCES: &str = "Token audience contains more than one audience while authorized party is not present";

/// Whom a token is about, and for whom it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `sub` as text.
    pub subject: String,
    /// `azp` when present, even empty, else the only `aud`. It must be a client id of the provider.
    pub audience: String,
    /// All of `aud`.
    pub original_audiences: Vec<String>,
    /// `amr`.
    pub methods: Vec<String>,
    /// `email`.
    pub email: Option<String>,
}

/// `iss` of a token.
///
/// # Errors
/// `InvalidIdentityToken` when it is absent or not a string.
pub fn issuer(claims: &Map<String, Value>) -> Result<&str, Fault> {
    let issuer = claims.get("iss").ok_or_else(|| missing("iss"))?;
    issuer.as_str().ok_or_else(|| Fault::invalid_identity_token(NOT_VALIDATED))
}

impl Identity {
    /// Reads subject and audience.
    ///
    /// # Errors
    /// `InvalidIdentityToken` for a missing claim or several audiences without `azp`; `InternalFailure` for a `sub` that
    /// is neither text nor number.
    pub fn of(claims: &Map<String, Value>) -> Result<Self, Fault> {
        if let Some(name) = REQUIRED.iter().find(|name| !claims.contains_key(**name)) {
            return Err(missing(name));
        }
        let original_audiences = audiences(claims.get("aud"))?;
        let audience = match (claims.get("azp"), original_audiences.as_slice()) {
            (Some(Value::String(party)), _) => party.clone(),
            (Some(Value::Null) | None, [only]) => only.clone(),
            (Some(Value::Null) | None, [_, _, ..]) => return Err(Fault::invalid_identity_token(SEVERAL_AUDIENCES)),
            _ => return Err(Fault::invalid_identity_token(NOT_VALIDATED)),
        };
        Ok(Self {
            subject: subject(claims.get("sub"))?,
            audience,
            original_audiences,
            methods: texts(claims.get("amr")),
            email: claims.get("email").and_then(Value::as_str).map(str::to_owned),
        })
    }
}

fn missing(name: &str) -> Fault {
    Fault::invalid_identity_token(format!("Missing a required claim: {name}"))
}

fn subject(value: Option<&Value>) -> Result<String, Fault> {
    match value {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(Fault::internal("Unknown error validating third-party token")),
    }
}

fn audiences(value: Option<&Value>) -> Result<Vec<String>, Fault> {
    match value {
        Some(Value::Array(items)) if items.is_empty() => {
            Err(Fault::invalid_identity_token("Claim is not allowed to be empty: aud"))
        }
        Some(value @ (Value::Array(_) | Value::String(_))) => Ok(texts(Some(value))),
        _ => Err(Fault::invalid_identity_token(NOT_VALIDATED)),
    }
}

/// The strings of a string or an array.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
