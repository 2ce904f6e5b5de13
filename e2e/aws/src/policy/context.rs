//! The request context: condition keys and their values.

use std::collections::BTreeMap;

/// Condition keys of one request. Keys are compared without case; values keep theirs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Values>);

/// The value of a key. AWS distinguishes single-valued from multivalued keys, whatever number of values they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// A single-valued key.
    One(String),
    /// A multivalued key, which only `ForAllValues` and `ForAnyValue` can look at.
    Many(Vec<String>),
}

impl Context {
    /// Sets a single-valued key.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_lowercase(), Values::One(value.into()));
    }

    /// Sets a single-valued key when there is a value.
    pub fn set_if(&mut self, key: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    /// Sets a multivalued key.
    pub fn set_many(&mut self, key: &str, values: impl IntoIterator<Item = String>) {
        self.0.insert(key.to_lowercase(), Values::Many(values.into_iter().collect()));
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Values> {
        self.0.get(&key.to_lowercase())
    }

    /// The value of a single-valued key.
    #[must_use]
    pub fn one(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Values::One(value)) => Some(value),
            _ => None,
        }
    }
}
