//! Conditions and status: what is written back to an object, and only when it says something new.

use jiff::Timestamp;
use k8s_openapi::{
    NamespaceResourceScope,
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
};
use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use vouch_crds::names;

use crate::{lease::LeaseHeld, reason::Reason};

/// The `status` of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can tell.
    Unknown,
}

impl Truth {
    /// As Kubernetes spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A condition as it is now, without a past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// One of `vouch_crds::names::condition`.
    pub kind: &'static str,
    /// Whether it holds.
    pub truth: Truth,
    /// Why.
    pub reason: Reason,
    /// What people read: one sentence or two.
    pub message: String,
}

impl Finding {
    /// A finding.
    #[must_use]
    pub fn new(kind: &'static str, truth: impl Into<Truth>, reason: Reason, message: impl Into<String>) -> Self {
        Self { kind, truth: truth.into(), reason, message: message.into() }
    }
}

/// The conditions after `findings`: a condition keeps the moment since when it has its status, one that nobody has found
/// anything about stays as it was.
#[must_use]
pub fn merge(previous: &[Condition], findings: &[Finding], generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    let mut merged: Vec<Condition> = previous.to_vec();
    for finding in findings {
        let before = merged.iter().position(|condition| condition.type_ == finding.kind);
        let since = before
            .and_then(|at| merged.get(at))
            .filter(|condition| condition.status == finding.truth.as_str())
            .map_or(Time(now), |condition| condition.last_transition_time.clone());
        let condition = Condition {
            last_transition_time: since,
            message: finding.message.clone(),
            observed_generation: generation,
            reason: finding.reason.as_str().to_owned(),
            status: finding.truth.as_str().to_owned(),
            type_: finding.kind.to_owned(),
        };
        match before.and_then(|at| merged.get_mut(at)) {
            Some(slot) => *slot = condition,
            None => merged.push(condition),
        }
    }
    merged
}

/// A condition by its type.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether a condition has another status or reason than before: worth an event.
#[must_use]
pub fn turned(previous: &[Condition], finding: &Finding) -> bool {
    find(previous, finding.kind).is_none_or(|condition| {
        condition.status != finding.truth.as_str() || condition.reason != finding.reason.as_str()
    })
}

/// The members of a status that differ, as a merge patch; `None` when nothing differs but the moment of a transition.
///
/// # Errors
/// When a status is not an object.
pub fn difference<S: Serialize>(previous: Option<&S>, next: &S) -> Result<Option<Value>, serde_json::Error> {
    let (before, after) = (members(&previous)?, members(next)?);
    let mut changes = Map::new();
    for (name, value) in &after {
        let same = before.get(name).is_some_and(|old| without_transitions(old) == without_transitions(value));
        if !same && (!value.is_null() || before.contains_key(name)) {
            changes.insert(name.clone(), value.clone());
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        changes.insert(name.clone(), Value::Null);
    }
    Ok(if changes.is_empty() { None } else { Some(Value::Object(changes)) })
}

fn members<S: Serialize>(status: &S) -> Result<Map<String, Value>, serde_json::Error> {
    match serde_json::to_value(status)? {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        other => serde_json::from_value(other),
    }
}

fn without_transitions(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| name.as_str() != "lastTransitionTime");
            Value::Object(kept.map(|(name, value)| (name.clone(), without_transitions(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_transitions).collect()),
        other => other.clone(),
    }
}

/// Why a status was not written.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// It has no form that an API server takes.
    #[error("the status of {kind} {name} cannot be written as JSON")]
    Form {
        /// Of what.
        kind: String,
        /// Which one.
        name: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The API server refused.
    #[error("the status of {kind} {name} cannot be written")]
    Api {
        /// Of what.
        kind: String,
        /// Which one.
        name: String,
        /// Why not.
        #[source]
        source: kube::Error,
    },
}

/// Writes a status if it differs from the one that was read with the object, and tells whether it did. Only what differs
/// is sent, and only if the object has not changed since it was read.
///
/// # Errors
/// When the API server refuses; a conflict means that the object was changed meanwhile.
pub async fn write<K, S>(held: &LeaseHeld, object: &K, previous: Option<&S>, next: &S) -> Result<bool, StatusError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + std::fmt::Debug,
    S: Serialize,
{
    let name = object.meta().name.clone().unwrap_or_default();
    let kind = || K::kind(&()).into_owned();
    let difference =
        difference(previous, next).map_err(|source| StatusError::Form { kind: kind(), name: name.clone(), source })?;
    let Some(changes) = difference else { return Ok(false) };
    let patch = json!({
        "metadata": {"resourceVersion": object.meta().resource_version, "uid": object.meta().uid},
        "status": changes,
    });
    let namespace = object.meta().namespace.clone().unwrap_or_default();
    let api: Api<K> = Api::namespaced(held.client(), &namespace);
    let parameters = PatchParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    match api.patch_status(&name, &parameters, &Patch::Merge(&patch)).await {
        Ok(_) => Ok(true),
        Err(source) => Err(StatusError::Api { kind: kind(), name, source }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use vouch_crds::{issuer::VouchIssuerStatus, names::condition};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn ready(truth: bool, reason: Reason) -> Finding {
        Finding::new(condition::READY, truth, reason, "said")
    }

    #[test]
    fn a_condition_keeps_the_moment_of_its_last_transition_while_its_status_stays() {
        let first = merge(&[], &[ready(false, Reason::RollingOut)], Some(1), at(0));
        let second = merge(&first, &[ready(false, Reason::TooFewPods)], Some(2), at(10));
        assert_eq!(second[0].last_transition_time, Time(at(0)));
        assert_eq!((second[0].reason.as_str(), second[0].observed_generation), ("TooFewPods", Some(2)));
        let third = merge(&second, &[ready(true, Reason::AsDeclared)], Some(2), at(20));
        assert_eq!(third[0].last_transition_time, Time(at(20)));
    }

    #[test]
    fn a_condition_that_nobody_speaks_of_stays() {
        let keys = Finding::new(condition::KEYS_READY, true, Reason::AsDeclared, "");
        let first = merge(&[], &[keys], Some(1), at(0));
        let second = merge(&first, &[ready(true, Reason::AsDeclared)], Some(2), at(10));
        assert_eq!(second[0], first[0]);
        assert_eq!(second.len(), 2);
    }

    #[test]
    fn status_is_not_written_when_only_time_differs() {
        let conditions = |second| merge(&[], &[ready(true, Reason::AsDeclared)], Some(1), at(second));
        let before = VouchIssuerStatus { conditions: conditions(0), ..VouchIssuerStatus::default() };
        let after = VouchIssuerStatus { conditions: conditions(60), ..VouchIssuerStatus::default() };
        assert_eq!(difference(Some(&before), &after).unwrap(), None);
    }

    #[test]
    fn only_the_members_that_differ_are_written_and_those_that_are_gone_are_removed() {
        let before = VouchIssuerStatus {
            replicas: Some("2/3".into()),
            active_key: Some("k".into()),
            ..VouchIssuerStatus::default()
        };
        let after = VouchIssuerStatus { replicas: Some("3/3".into()), ..VouchIssuerStatus::default() };
        assert_eq!(difference(Some(&before), &after).unwrap(), Some(json!({"replicas": "3/3", "activeKey": null})));
    }

    #[test]
    fn another_reason_is_worth_an_event_and_another_message_is_not() {
        let before = merge(&[], &[ready(false, Reason::TooFewPods)], Some(1), at(0));
        assert!(turned(&before, &ready(false, Reason::ForeignObject)));
        assert!(!turned(&before, &Finding { message: "other".into(), ..ready(false, Reason::TooFewPods) }));
    }
}
