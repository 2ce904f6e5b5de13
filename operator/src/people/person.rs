//! A `VouchUser` as the operator keeps it: who claims what, and what was said of it. The rest is read once, to find out
//! whether it can be read, and let go: ten thousand of them fit into a small pod.

use std::borrow::Cow;

use jiff::Timestamp;
use k8s_openapi::{
    NamespaceResourceScope,
    apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time},
};
use kube::Resource;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vouch_crds::user::{VouchUser, VouchUserStatus};
use vouch_issuer::{identity::webauthn::credential_id, store::record::UserRecord};

/// The part of the status that the operator writes; all else in it is the issuer's.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reported {
    /// `Ready`.
    pub conditions: Vec<Condition>,
    /// The generation that the conditions are about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// An enrolled security key, as a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The raw credential id, as base64url text.
    pub id: Box<str>,
    /// When it was enrolled: whoever has enrolled it first has it.
    pub since: Timestamp,
}

/// A person.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Object")]
pub struct Person {
    metadata: ObjectMeta,
    /// The address, believed or not.
    pub email: Option<Box<str>>,
    /// `status.id`, or the UID while the issuer has not written one.
    pub id: Box<str>,
    /// The security keys.
    pub credentials: Box<[Credential]>,
    /// Why the issuer cannot read it.
    pub damage: Option<Box<str>>,
    /// What was said of it.
    pub reported: Reported,
}

/// As it comes from an API server. Nothing in it is believed: one object that cannot be read must not hide the others.
#[derive(Deserialize)]
struct Object {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
}

impl From<Object> for Person {
    fn from(Object { metadata, spec, status }: Object) -> Self {
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(Box::<str>::from);
        let keys = status.get("keys").and_then(Value::as_array).into_iter().flatten();
        let credentials = keys.filter_map(|key| {
            let since = text(key, "createdAt").and_then(|at| at.parse().ok()).unwrap_or(Timestamp::MAX);
            Some(Credential { id: text(key, "credentialId")?, since })
        });
        let credentials = credentials.collect();
        let uid = metadata.uid.as_deref().unwrap_or_default();
        let reported = serde_json::from_value(json!({
            "conditions": status.get("conditions").cloned().unwrap_or_else(|| json!([])),
            "observedGeneration": status.get("observedGeneration"),
        }));
        Self {
            email: text(&spec, "email"),
            id: text(&status, "id").unwrap_or_else(|| uid.into()),
            credentials,
            reported: reported.unwrap_or_default(),
            damage: read(&metadata, &spec, status).err().map(Into::into),
            metadata: ObjectMeta {
                name: metadata.name,
                namespace: metadata.namespace,
                uid: metadata.uid,
                resource_version: metadata.resource_version,
                generation: metadata.generation,
                creation_timestamp: metadata.creation_timestamp,
                deletion_timestamp: metadata.deletion_timestamp,
                ..ObjectMeta::default()
            },
        }
    }
}

/// Whether the issuer can read a person from an object.
fn read(metadata: &ObjectMeta, spec: &Value, status: Value) -> Result<(), String> {
    let status: VouchUserStatus = match status {
        Value::Null => VouchUserStatus::default(),
        status => serde_json::from_value(status).map_err(|error| format!("status: {error}"))?,
    };
    let created_at = metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |at| at.0);
    let mut keys = Vec::new();
    for key in &status.keys {
        let passkey: Value =
            serde_json::from_str(&key.credential).map_err(|error| format!("key {}: credential: {error}", key.id))?;
        keys.push(json!({
            "id": key.id, "credential_id": key.credential_id, "name": key.name, "aaguid": key.aaguid,
            "attested": key.attested, "created_at": key.created_at, "last_used_at": key.last_used_at,
            "passkey": passkey,
        }));
    }
    let record = json!({
        "id": status.id.as_ref().or(metadata.uid.as_ref()),
        "email": spec.get("email"),
        "created_at": created_at,
        "sessions_valid_from": status.sessions_valid_from.as_ref().map_or_else(|| json!(created_at), |at| json!(at)),
        "keys": keys,
    });
    let record: UserRecord = serde_json::from_value(record).map_err(|error| error.to_string())?;
    match record.keys.iter().find(|key| credential_id(key.passkey.cred_id()) != key.credential_id) {
        Some(key) => Err(format!("key {}: credential is that of another credentialId", key.id)),
        None => Ok(()),
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
