//! Claims that become session tags and source identity (IAM User Guide, "Passing session tags using
//! AssumeRoleWithWebIdentity").

use serde_json::{Map, Value};

use crate::wire::Fault;
use crate::wire::shape::is_name_char;
use crate::world::{KeyCase, Tags};

const TAGS: &str = "https://aws.amazon.com/tags";
const FLAT_TAG: &str = "https://aws.amazon.com/tags/principal_tags/";
const FLAT_TRANSITIVE: &str = "https://aws.amazon.com/tags/transitive_tag_keys";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";

const MAX_TAGS: usize = 50;

/// What a token gives the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionClaims {
    /// Session tags.
    pub tags: Tags,
    /// Keys of the tags that a chain keeps.
    pub transitive_keys: Vec<String>,
    /// Source identity.
    pub source_identity: Option<String>,
}

impl SessionClaims {
    /// Reads tags, in either notation, and source identity.
    ///
    /// # Errors
    /// `InvalidIdentityToken` when a claim has the wrong form or breaks a limit of session tags.
    pub fn of(claims: &Map<String, Value>) -> Result<Self, Fault> {
        let source_identity = source_identity(claims)?;
        let pairs = pairs(claims)?;
        let tags = Tags::from_pairs(KeyCase::Folded, pairs.iter().cloned());
        let distinct = tags.len() == pairs.len();
        if pairs.len() > MAX_TAGS || !distinct || !pairs.iter().all(|(key, value)| is_tag(key, value)) {
            return Err(malformed("principal_tags"));
        }
        let transitive_keys = transitive_keys(claims)?;
        if !transitive_keys.iter().all(|key| tags.get(key).is_some()) {
            return Err(malformed("transitive_tag_keys"));
        }
        Ok(Self { tags, transitive_keys, source_identity })
    }
}

/// Whether key and value are allowed for a session tag.
#[must_use]
pub fn is_tag(key: &str, value: &str) -> bool {
    let lengths = (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256;
    lengths && !is_reserved(key) && key.chars().chain(value.chars()).all(is_tag_char)
}

/// Whether a key or value begins with `aws:`, in any case.
#[must_use]
pub fn is_reserved(text: &str) -> bool {
    text.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`
#[must_use]
pub fn is_tag_char(character: char) -> bool {
    let separator = character.is_whitespace() && !character.is_control();
    character.is_alphanumeric() || separator || matches!(character, '_' | '.' | ':' | '/' | '=' | '+' | '-' | '@')
}

/// Whether a text is allowed as source identity: `[\w+=,.@-]{2,64}`, not beginning with `aws:`.
#[must_use]
pub fn is_source_identity(text: &str) -> bool {
    (2..=64).contains(&text.chars().count()) && text.chars().all(is_name_char) && !is_reserved(text)
}

fn source_identity(claims: &Map<String, Value>) -> Result<Option<String>, Fault> {
    match claims.get(SOURCE_IDENTITY) {
        None => Ok(None),
        Some(Value::String(text)) if is_source_identity(text) => Ok(Some(text.clone())),
        Some(_) => Err(malformed("source_identity")),
    }
}

fn pairs(claims: &Map<String, Value>) -> Result<Vec<(String, String)>, Fault> {
    let mut pairs = Vec::new();
    if let Some(nested) = claims.get(TAGS) {
        let nested = nested.as_object().ok_or_else(|| malformed("tags"))?;
        match nested.get("principal_tags") {
            None => {}
            Some(Value::Object(tags)) => {
                for (key, value) in tags {
                    let value = one_string(value).ok_or_else(|| malformed("principal_tags"))?;
                    pairs.push((key.clone(), value.to_owned()));
                }
            }
            Some(_) => return Err(malformed("principal_tags")),
        }
    }
    for (claim, value) in claims {
        if let Some(key) = claim.strip_prefix(FLAT_TAG) {
            let value = value.as_str().ok_or_else(|| malformed("principal_tags"))?;
            pairs.push((key.to_owned(), value.to_owned()));
        }
    }
    Ok(pairs)
}

/// The nested notation has every value in an array of one.
fn one_string(value: &Value) -> Option<&str> {
    match value.as_array()?.as_slice() {
        [only] => only.as_str(),
        _ => None,
    }
}

fn transitive_keys(claims: &Map<String, Value>) -> Result<Vec<String>, Fault> {
    let nested = claims.get(TAGS).and_then(|tags| tags.get("transitive_tag_keys")).map(keys).transpose()?;
    let flat = claims.get(FLAT_TRANSITIVE).map(keys).transpose()?;
    match (nested, flat) {
        (Some(nested), Some(flat)) if nested != flat => Err(malformed("transitive_tag_keys")),
        (Some(keys), _) | (None, Some(keys)) => Ok(keys),
        (None, None) => Ok(Vec::new()),
    }
}

fn keys(value: &Value) -> Result<Vec<String>, Fault> {
    let items = value.as_array().ok_or_else(|| malformed("transitive_tag_keys"))?;
    items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(|| malformed("transitive_tag_keys"))).collect()
}

/// The text recorded for `principal_tags`; taken to be the same for its siblings.
fn malformed(what: &str) -> Fault {
    Fault::invalid_identity_token(format!("{what} passed in claim is not in correct format."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::SessionClaims;
    use serde_json::{Value, json};

    fn read(claims: &Value) -> Result<SessionClaims, String> {
        SessionClaims::of(claims.as_object().unwrap()).map_err(|fault| fault.message)
    }

    fn nested(tags: &Value, transitive: &Value) -> Value {
        json!({"https://aws.amazon.com/tags": {"principal_tags": tags, "transitive_tag_keys": transitive}})
    }

    #[test]
    fn reads_both_notations_alike() {
        let nested = read(&nested(&json!({"Team": ["red"]}), &json!(["Team"]))).unwrap();
        let flat = read(&json!({
            "https://aws.amazon.com/tags/principal_tags/Team": "red",
            "https://aws.amazon.com/tags/transitive_tag_keys": ["Team"],
        }));
        assert_eq!(flat.unwrap(), nested);
        assert_eq!(nested.transitive_keys, ["Team"]);
    }

    #[test]
    fn refuses_tags_beyond_their_limits() {
        let many: serde_json::Map<String, Value> = (0..51).map(|number| (format!("k{number}"), json!(["v"]))).collect();
        let tags = [
            json!({"Team": "red"}),
            json!({"Team": ["red", "blue"]}),
            json!({"Team": [1]}),
            json!({"aws:Team": ["red"]}),
            json!({"AWS:Team": ["red"]}),
            json!({"Team": ["red"], "team": ["blue"]}),
            json!({"": ["red"]}),
            json!({"k".repeat(129): ["red"]}),
            json!({"Team": ["v".repeat(257)]}),
            json!({"Team": ["a;b"]}),
            Value::Object(many),
        ];
        for tags in tags {
            assert_eq!(
                read(&nested(&tags, &json!([]))).unwrap_err(),
                "principal_tags passed in claim is not in correct format.",
                "{tags}"
            );
        }
        assert!(
            read(&nested(&json!({"Team": ["red"]}), &json!(["Other"]))).unwrap_err().starts_with("transitive_tag_keys")
        );
    }

    #[test]
    fn refuses_source_identities_that_aws_cannot_carry() {
        for text in ["a", "aws:root", "alice smith", "o'brien@example.com", &"a".repeat(65)] {
            let claims = json!({"https://aws.amazon.com/source_identity": text});
            assert!(read(&claims).unwrap_err().starts_with("source_identity"), "{text}");
        }
        let claims = json!({"https://aws.amazon.com/source_identity": "alice@example.com"});
        assert_eq!(read(&claims).unwrap().source_identity.as_deref(), Some("alice@example.com"));
    }
}
