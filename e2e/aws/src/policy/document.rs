//! A policy document as a value.
//!
//! Every element that AWS takes as a string or a list of strings is a list here.

use serde_json::{Map, Value};

use super::condition::{Condition, ConditionError};
use super::principal::Principals;

/// Why a text is not a policy document. The texts are IAM's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON.
    #[error("This policy contains invalid Json")]
    Json,
    /// An element that does not exist, is there twice under two names, or has the wrong type.
    #[error("Syntax errors in policy.")]
    Syntax,
    /// Neither `Action` nor `NotAction`.
    #[error("Policy statement must contain actions.")]
    NoActions,
    /// An operator of a condition that does not exist.
    #[error(transparent)]
    Condition(#[from] ConditionError),
}

/// The language version; only the newer one knows policy variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, also when absent.
    V2008,
    /// `2012-10-17`.
    V2012,
}

/// What a statement does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Allows.
    Allow,
    /// Denies, whatever others allow.
    Deny,
}

/// A policy document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Language version.
    pub version: Version,
    /// The statements, in order.
    pub statements: Vec<Statement>,
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its label.
    pub sid: Option<String>,
    /// What it does.
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`; only in policies of resources.
    pub principals: Option<Principals>,
    /// `Action` or `NotAction`.
    pub actions: Patterns,
    /// `Resource` or `NotResource`; absent in trust policies.
    pub resources: Option<Patterns>,
    /// All must hold.
    pub conditions: Vec<Condition>,
}

/// `X` or `NotX` with its patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patterns {
    /// Whether it is the `NotX` form.
    pub negated: bool,
    /// The patterns.
    pub values: Vec<String>,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// [`DocumentError`] in IAM's words.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let value: Value = serde_json::from_str(text).map_err(|_| DocumentError::Json)?;
        Self::from_value(&value)
    }

    /// Reads a document from parsed JSON.
    ///
    /// # Errors
    /// [`DocumentError`] in IAM's words.
    pub fn from_value(value: &Value) -> Result<Self, DocumentError> {
        let members = value.as_object().ok_or(DocumentError::Syntax)?;
        only(members, &["Version", "Id", "Statement"])?;
        let version = match members.get("Version").map(Value::as_str) {
            None | Some(Some("2008-10-17")) => Version::V2008,
            Some(Some("2012-10-17")) => Version::V2012,
            Some(_) => return Err(DocumentError::Syntax),
        };
        let statements = match members.get("Statement") {
            Some(Value::Array(items)) => items.iter().map(Statement::from_value).collect::<Result<_, _>>()?,
            Some(single @ Value::Object(_)) => vec![Statement::from_value(single)?],
            _ => return Err(DocumentError::Syntax),
        };
        Ok(Self { version, statements })
    }
}

impl Statement {
    fn from_value(value: &Value) -> Result<Self, DocumentError> {
        let members = value.as_object().ok_or(DocumentError::Syntax)?;
        only(
            members,
            &[
                "Sid",
                "Effect",
                "Principal",
                "NotPrincipal",
                "Action",
                "NotAction",
                "Resource",
                "NotResource",
                "Condition",
            ],
        )?;
        let effect = match members.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err(DocumentError::Syntax),
        };
        let sid = match members.get("Sid") {
            None => None,
            Some(Value::String(sid)) => Some(sid.clone()),
            Some(_) => return Err(DocumentError::Syntax),
        };
        Ok(Self {
            sid,
            effect,
            principals: Principals::of(members)?,
            actions: patterns(members, "Action", "NotAction")?.ok_or(DocumentError::NoActions)?,
            resources: patterns(members, "Resource", "NotResource")?,
            conditions: members.get("Condition").map_or(Ok(Vec::new()), Condition::list)?,
        })
    }
}

fn only(members: &Map<String, Value>, known: &[&str]) -> Result<(), DocumentError> {
    if members.keys().all(|name| known.contains(&name.as_str())) { Ok(()) } else { Err(DocumentError::Syntax) }
}

fn patterns(members: &Map<String, Value>, plain: &str, negated: &str) -> Result<Option<Patterns>, DocumentError> {
    match (members.get(plain), members.get(negated)) {
        (None, None) => Ok(None),
        (Some(value), None) => Ok(Some(Patterns { negated: false, values: strings(value)? })),
        (None, Some(value)) => Ok(Some(Patterns { negated: true, values: strings(value)? })),
        (Some(_), Some(_)) => Err(DocumentError::Syntax),
    }
}

/// A string or a list of strings.
pub(super) fn strings(value: &Value) -> Result<Vec<String>, DocumentError> {
    match value {
        Value::String(single) => Ok(vec![single.clone()]),
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or(DocumentError::Syntax)).collect()
        }
        _ => Err(DocumentError::Syntax),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::{Document, DocumentError, Effect, Version};

    #[test]
    fn reads_a_string_and_a_list_alike() {
        let single = Document::parse(
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
        )
        .unwrap();
        let list = Document::parse(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["*"]}]}"#,
        )
        .unwrap();
        assert_eq!(single, list);
        assert_eq!((single.version, single.statements[0].effect), (Version::V2012, Effect::Allow));
    }

    #[test]
    fn refuses_what_is_not_a_policy() {
        let rows = [
            ("{", DocumentError::Json),
            ("[]", DocumentError::Syntax),
            (r#"{"Statement":[{"Effect":"allow","Action":"*"}]}"#, DocumentError::Syntax),
            (r#"{"Statement":[{"Effect":"Allow","Action":"*","NotAction":"x"}]}"#, DocumentError::Syntax),
            (r#"{"Statement":[{"Effect":"Allow","Resource":"*"}]}"#, DocumentError::NoActions),
            (r#"{"Statement":[{"Effect":"Allow","Action":"*","Conditions":{}}]}"#, DocumentError::Syntax),
            (r#"{"Version":"2013-01-01","Statement":[]}"#, DocumentError::Syntax),
            (r#"{"statement":[]}"#, DocumentError::Syntax),
        ];
        for (text, error) in rows {
            assert_eq!(Document::parse(text), Err(error), "{text}");
        }
    }
}
