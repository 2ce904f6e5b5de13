//! What RBAC allows, piece by piece.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::texts;

/// A verb on a resource; on one object of it, where the rule names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    pub(crate) group: String,
    /// With a subresource behind a slash.
    pub(crate) resource: String,
    pub(crate) name: Option<String>,
    pub(crate) verb: String,
}

impl Right {
    /// On every object.
    pub(crate) fn new(group: &str, resource: &str, verb: &str) -> Self {
        Self { group: group.to_owned(), resource: resource.to_owned(), name: None, verb: verb.to_owned() }
    }

    /// The rule that allows it and nothing else.
    pub(crate) fn rule(&self) -> Value {
        let mut rule = json!({"apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb]});
        if let Some(name) = &self.name {
            rule["resourceNames"] = json!([name]);
        }
        rule
    }

    /// Whether an API server says that it is missing.
    pub(crate) fn is_missed_in(&self, words: &str) -> bool {
        let Self { resource, verb, .. } = self;
        let refusal = format!("cannot {verb} resource \"{resource}\"");
        let about = self.name.as_ref().map(|name| format!("\"{name}\" is forbidden")).unwrap_or_default();
        words.lines().any(|line| line.contains(&refusal) && line.contains(&about))
    }
}

/// Each right of a Role by itself.
pub(crate) fn rights(role: &Value) -> Vec<Right> {
    let mut rights = Vec::new();
    for rule in role["rules"].as_array().unwrap() {
        let names = texts(&rule["resourceNames"]);
        let names: Vec<Option<&str>> =
            if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for name in &names {
                    let right =
                        |verb: &&str| Right { name: name.map(str::to_owned), ..Right::new(group, resource, verb) };
                    rights.extend(texts(&rule["verbs"]).iter().map(right));
                }
            }
        }
    }
    rights
}

/// The rights of several Roles, whichever objects they are about.
pub(crate) fn rights_in(roles: &[&Value]) -> BTreeSet<Right> {
    let all = roles.iter().flat_map(|role| rights(role));
    all.map(|right| Right { name: None, ..right }).collect()
}
