//! A `VouchUser` as the operator keeps it: who claims what, and what was said of it. The rest is read once, by the
//! issuer's own code, to find out whether it can be read, and let go: ten thousand of them fit into a small pod.

use std::borrow::Cow;

use jiff::Timestamp;
use k8s_openapi::{
    NamespaceResourceScope,
    apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time},
};
use kube::{Resource, api::DynamicObject};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vouch_crds::{moment::Moment, user::VouchUser};
use vouch_issuer::store::{
    kubernetes::{Claims, Object},
    record::{UserId, UserRecord},
};

/// The part of the status that the operator writes; all else in it is the issuer's.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reported {
    /// `Ready`.
    pub conditions: Vec<Condition>,
    /// The generation that the conditions are about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Sessions begun before this moment are over: only ever written to raise it, and never read, because it is the
    /// issuer's.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub sessions_valid_from: Option<Moment>,
}

/// A person.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "DynamicObject")]
pub struct Person {
    metadata: ObjectMeta,
    /// What the issuer makes of the object; `None` when it is on its way out, so that nothing in it counts.
    pub known: Option<Known>,
    /// What was said of it.
    pub reported: Reported,
}

/// What an issuer makes of an object.
#[derive(Debug, Clone)]
pub struct Known {
    /// The address, believed or not.
    pub email: Option<Box<str>>,
    /// `status.id`, or the UID while the issuer has not written one.
    pub id: UserId,
    /// The credential ids of the security keys, and when they were enrolled: whoever has enrolled one first has it.
    pub credentials: Box<[(Box<str>, Timestamp)]>,
    /// Why the issuer cannot read it.
    pub damage: Option<Box<str>>,
    /// Sessions begun before this moment are over. `None` in an object that cannot be read.
    pub sessions_valid_from: Option<Timestamp>,
    /// That moment as it must be, when the person is disabled and sessions that have begun would live again once the
    /// person is enabled.
    pub sessions_to_end: Option<Timestamp>,
}

/// Nothing in an object is believed: one that cannot be read must not hide the others.
impl From<DynamicObject> for Person {
    fn from(object: DynamicObject) -> Self {
        let (reported, metadata) = (reported(&object.data), slim(&object.metadata));
        Self { metadata, known: Object::of(object).map(|object| Known::of(&object)), reported }
    }
}

impl Known {
    fn of(object: &Object) -> Self {
        let Claims { credentials, .. } = object.claims();
        let record = object.record();
        Self {
            email: object.email.clone(),
            id: object.user_id(),
            credentials: credentials.into(),
            sessions_valid_from: record.as_ref().ok().map(|record| record.sessions_valid_from),
            sessions_to_end: record.as_ref().ok().and_then(sessions_to_end),
            damage: record.err().map(Into::into),
        }
    }
}

/// A moment after the beginning of every session there is, from the record alone: nobody's clock is asked, so that a session
/// that begins after the person is enabled again is not ended by a clock that is ahead.
fn sessions_to_end(record: &UserRecord) -> Option<Timestamp> {
    let mut over = record.clone();
    over.end_sessions(Timestamp::MIN);
    (record.disabled && over.sessions_valid_from > record.sessions_valid_from).then_some(over.sessions_valid_from)
}

fn reported(data: &Value) -> Reported {
    let member = |name: &str| data.get("status").and_then(|status| status.get(name)).cloned();
    let reported = json!({
        "conditions": member("conditions").unwrap_or_else(|| json!([])),
        "observedGeneration": member("observedGeneration"),
    });
    serde_json::from_value(reported).unwrap_or_default()
}

/// What the operator needs of the metadata; annotations and managed fields are most of it.
fn slim(metadata: &ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        name: metadata.name.clone(),
        namespace: metadata.namespace.clone(),
        uid: metadata.uid.clone(),
        resource_version: metadata.resource_version.clone(),
        generation: metadata.generation,
        creation_timestamp: metadata.creation_timestamp.clone(),
        deletion_timestamp: metadata.deletion_timestamp.clone(),
        ..ObjectMeta::default()
    }
}

impl Person {
    /// The object's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The object's namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// The object's UID, which decides between two of one moment.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// When the object was made: whoever was first has the address.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |Time(at)| *at)
    }
}

/// The same resource as `VouchUser`.
impl Resource for Person {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind(_: &()) -> Cow<'_, str> {
        VouchUser::kind(&())
    }

    fn group(_: &()) -> Cow<'_, str> {
        VouchUser::group(&())
    }

    fn version(_: &()) -> Cow<'_, str> {
        VouchUser::version(&())
    }

    fn plural(_: &()) -> Cow<'_, str> {
        VouchUser::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
