//! Customer-managed policies and their versions.

use jiff::Timestamp;

use super::tags::Tags;
use crate::policy::Document;

/// A customer-managed policy.
#[derive(Debug, Clone)]
pub struct ManagedPolicy {
    /// Name.
    pub name: String,
    /// Path, with slashes at both ends.
    pub path: String,
    /// `ANPA…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Description.
    pub description: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// When its default version last changed.
    pub updated: Timestamp,
    /// Versions, oldest first; at most five.
    pub versions: Vec<PolicyVersion>,
    /// Id of the version in force.
    pub default_version: String,
    /// Number of the next version.
    pub next_version: u32,
    /// Tags, keys with regard to case.
    pub tags: Tags,
}

/// A version of a policy.
#[derive(Debug, Clone)]
pub struct PolicyVersion {
    /// `v1`, `v2`, ….
    pub id: String,
    /// The text, verbatim.
    pub text: String,
    /// Its meaning.
    pub document: Document,
    /// When it was created.
    pub created: Timestamp,
}

impl ManagedPolicy {
    /// A version by id.
    #[must_use]
    pub fn version(&self, id: &str) -> Option<&PolicyVersion> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// The document in force.
    #[must_use]
    pub fn document(&self) -> Option<&Document> {
        self.version(&self.default_version).map(|version| &version.document)
    }
}
