//! Session tags: as parameters, as condition keys, in the log, and along a chain.

use serde_json::{Map, Value};

use crate::api::{Call, Trace};
use crate::policy::Context;
use crate::web_identity::session_claims::{is_reserved, is_tag};
use crate::wire::Fault;
use crate::wire::shape::Shape;
use crate::world::{KeyCase, Session, Tags};

/// Tags of a request and the keys among them that a chain keeps.
#[derive(Debug)]
pub(super) struct RequestTags {
    pairs: Vec<(String, String)>,
    pub(super) transitive_keys: Vec<String>,
}

impl RequestTags {
    /// Reads `Tags` and `TransitiveTagKeys`; violations go to `shape`.
    pub(super) fn read(call: &Call<'_>, shape: &mut Shape) -> Self {
        let members = call.params.structures("Tags").unwrap_or_default();
        shape.list("tags", Some(&members), 50);
        let mut pairs = Vec::new();
        for (index, member) in members.iter().enumerate() {
            let key = shape.required(&format!("tags.{}.member.key", index + 1), member.get("Key"), (1, 128), None);
            let value =
                shape.required(&format!("tags.{}.member.value", index + 1), member.get("Value"), (0, 256), None);
            pairs.push((key.to_owned(), value.to_owned()));
        }
        let transitive_keys = call.params.list("TransitiveTagKeys").unwrap_or_default();
        shape.list("transitiveTagKeys", Some(&transitive_keys), 50);
        Self { pairs, transitive_keys }
    }

    /// The tags; of a key given twice, the last.
    pub(super) fn tags(&self) -> Tags {
        Tags::from_pairs(KeyCase::Folded, self.pairs.iter().cloned())
    }

    /// The tags of the session, with those that the chain keeps.
    ///
    /// # Errors
    /// `InvalidParameterValue` for a reserved or ill-formed key, one given twice, a transitive key without a tag, and a
    /// key that the calling session has as transitive already.
    pub(super) fn join(&self, inherited: &Tags) -> Result<Tags, Fault> {
        let mut tags = self.tags();
        if tags.len() != self.pairs.len() {
            return Err(invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
        }
        if self.pairs.iter().any(|(key, _)| is_reserved(key)) {
            return Err(invalid("Tag keys beginning with aws: are reserved for system use."));
        }
        if !self.pairs.iter().all(|(key, value)| is_tag(key, value)) {
            return Err(invalid("The tag keys or values contain characters that are not allowed."));
        }
        if !self.transitive_keys.iter().all(|key| tags.get(key).is_some()) {
            return Err(invalid("The specified transitive tag key must be included in the requested tags."));
        }
        for (key, value) in inherited.iter() {
            if tags.get(key).is_some() {
                return Err(invalid(
                    "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
                ));
            }
            tags.set(key.to_owned(), value.to_owned());
        }
        Ok(tags)
    }
}

/// The tags that a chained session keeps of its predecessor.
pub(super) fn inherited(session: &Session) -> Tags {
    let kept = session.transitive_keys.iter().filter_map(|key| {
        let (spelling, value) =
            session.tags.iter().find(|(candidate, _)| candidate.to_lowercase() == key.to_lowercase())?;
        Some((spelling.to_owned(), value.to_owned()))
    });
    Tags::from_pairs(KeyCase::Folded, kept)
}

/// Condition keys of tags that a request sets.
pub(super) fn request_tags(context: &mut Context, tags: &Tags, transitive_keys: &[String]) {
    if tags.is_empty() {
        return;
    }
    for (key, value) in tags.iter() {
        context.set(&format!("aws:RequestTag/{key}"), value);
    }
    context.set_many("aws:TagKeys", tags.iter().map(|(key, _)| key.to_owned()));
    if !transitive_keys.is_empty() {
        context.set_many("sts:TransitiveTagKeys", transitive_keys.to_vec());
    }
}

/// Tags as CloudTrail shows them in `requestParameters`.
pub(super) fn log(trace: &mut Trace, tags: &Tags, transitive_keys: &[String]) {
    if !tags.is_empty() {
        trace.parameter("principalTags", map(tags));
    }
    if !transitive_keys.is_empty() {
        trace.parameter("transitiveTagKeys", transitive_keys.to_vec());
    }
}

/// Inherited tags as CloudTrail shows them.
pub(super) fn log_inherited(trace: &mut Trace, tags: &Tags) {
    if !tags.is_empty() {
        trace.parameter("incomingTransitiveTags", map(tags));
    }
}

fn map(tags: &Tags) -> Map<String, Value> {
    tags.iter().map(|(key, value)| (key.to_owned(), Value::String(value.to_owned()))).collect()
}

fn invalid(message: &str) -> Fault {
    Fault::new("InvalidParameterValue", 400, message)
}
