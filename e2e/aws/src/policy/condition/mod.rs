//! Conditions: operator, key, values.

mod operator;
#[cfg(test)]
mod tests;
mod typed;

use serde_json::Value;

use super::context::{Context, Values};
use super::document::Version;
pub use operator::{Comparison, Operator};

/// How an operator looks at several values of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// The key is single-valued; a multivalued one never satisfies it (recorded).
    Scalar,
    /// `ForAllValues:`.
    All,
    /// `ForAnyValue:`.
    Any,
}

/// One operator on one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Set operator.
    pub quantifier: Quantifier,
    /// What is compared, and how.
    pub operator: Operator,
    /// `...IfExists`.
    pub if_exists: bool,
    /// The key, as written.
    pub key: String,
    /// Values of which one must match (or, negated, none).
    pub values: Vec<String>,
}

/// Why a condition block is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// No such operator.
    #[error("Invalid Condition type : {0}.")]
    Operator(String),
    /// Not `{operator: {key: values}}`.
    #[error("Syntax errors in policy.")]
    Syntax,
}

impl Condition {
    /// The conditions of a `Condition` element.
    pub(super) fn list(value: &Value) -> Result<Vec<Self>, ConditionError> {
        let blocks = value.as_object().ok_or(ConditionError::Syntax)?;
        let mut conditions = Vec::new();
        for (name, keys) in blocks {
            let (quantifier, operator, if_exists) =
                operator::parse(name).ok_or_else(|| ConditionError::Operator(name.clone()))?;
            for (key, value) in keys.as_object().ok_or(ConditionError::Syntax)? {
                conditions.push(Self { quantifier, operator, if_exists, key: key.clone(), values: values(value)? });
            }
        }
        Ok(conditions)
    }

    /// Whether the condition holds in a context.
    #[must_use]
    pub fn holds(&self, version: Version, context: &Context) -> bool {
        let found = context.get(&self.key);
        if self.operator.comparison == Comparison::Null {
            let absent = found.is_none();
            return self.values.iter().any(|value| value.eq_ignore_ascii_case(if absent { "true" } else { "false" }));
        }
        let Some(found) = found else {
            return self.holds_without_key();
        };
        let satisfied = |value: &String| self.satisfied_by(value, version, context);
        match (self.quantifier, found) {
            (Quantifier::Scalar, Values::One(value)) => satisfied(value),
            (Quantifier::Scalar, Values::Many(_)) => false,
            (Quantifier::All, Values::One(value)) | (Quantifier::Any, Values::One(value)) => satisfied(value),
            (Quantifier::All, Values::Many(values)) => values.iter().all(satisfied),
            (Quantifier::Any, Values::Many(values)) => values.iter().any(satisfied),
        }
    }

    fn holds_without_key(&self) -> bool {
        match self.quantifier {
            Quantifier::All => true,
            Quantifier::Any => self.if_exists,
            Quantifier::Scalar => self.if_exists || self.operator.negated,
        }
    }

    /// One value of the key against all values of the policy: any of them, or, negated, none.
    fn satisfied_by(&self, value: &str, version: Version, context: &Context) -> bool {
        let any = self.values.iter().any(|expected| self.operator.compares(expected, value, version, context));
        any != self.operator.negated
    }
}

fn values(value: &Value) -> Result<Vec<String>, ConditionError> {
    match value {
        Value::Array(items) => items.iter().map(scalar).collect(),
        single => scalar(single).map(|value| vec![value]),
    }
}

fn scalar(value: &Value) -> Result<String, ConditionError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(ConditionError::Syntax),
    }
}
