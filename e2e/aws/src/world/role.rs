//! Roles, their trust, and what they may.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::tags::Tags;
use crate::policy::Document;

/// An IAM role.
#[derive(Debug, Clone)]
pub struct Role {
    /// Name, as first written; looked up without regard to case.
    pub name: String,
    /// Path, with slashes at both ends.
    pub path: String,
    /// `AROA…`; a role created anew has another.
    pub id: String,
    /// ARN, with the path.
    pub arn: String,
    /// When it was created.
    pub created: Timestamp,
    /// Who may assume it.
    pub trust: Trust,
    /// Description; empty when there is none.
    pub description: String,
    /// Longest session in seconds, 3600 to 43200.
    pub max_session_duration: i32,
    /// Tags, keys without regard to case.
    pub tags: Tags,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// ARNs of attached managed policies, in order of attachment.
    pub attached: Vec<String>,
    /// Inline policies by lower-case name.
    pub inline: BTreeMap<String, InlinePolicy>,
}

/// A policy inside a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlinePolicy {
    /// The first spelling of its name.
    pub name: String,
    /// Its text, compact.
    pub text: String,
    /// Its meaning.
    pub document: Document,
}

/// A trust policy.
///
/// IAM turns ARNs of roles and users into their unique ids when it stores one, and back when it shows it. A principal
/// that was deleted stays an id, and one created anew under the same name is somebody else.
#[derive(Debug, Clone, PartialEq)]
pub struct Trust {
    /// The text as sent, compact.
    pub sent: String,
    /// The JSON, with unique ids for principals.
    pub stored: Value,
    /// The meaning of `stored`.
    pub document: Document,
}

impl Role {
    /// Whether STS sees a role yet, `delay` seconds after its creation.
    #[must_use]
    pub fn is_visible(&self, now: Timestamp, delay: u32) -> bool {
        now.duration_since(self.created) >= SignedDuration::from_secs(i64::from(delay))
    }
}
