//! A `VouchUser` as it is kept in memory: what people are looked up by, and the rest as the text it came as.
//!
//! Fifty thousand of them fit into a small pod, because nothing is parsed before somebody asks for that person.
//!
//! Public because the operator reports of every object what an issuer makes of it, and must not have an opinion of its own.

use std::sync::Arc;

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::Value;
use uuid::Uuid;

use super::record;
use crate::store::{
    StoreError, Stored, Version,
    record::{UserId, UserRecord},
};

/// What an object's status claims for itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// Credential ids as base64url text, and when they were enrolled; one that does not say so comes last.
    pub credentials: Vec<(Box<str>, Timestamp)>,
    /// The hash of the invite.
    pub invite: Option<Box<str>>,
}

/// An object with a name and a version.
#[derive(Debug, Clone)]
pub struct Object {
    /// `metadata.name`.
    pub name: Box<str>,
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `metadata.resourceVersion`.
    pub version: Box<str>,
    /// As the API server says.
    pub created_at: Timestamp,
    /// The e-mail address, believed or not.
    pub email: Option<Box<str>>,
    id: Uuid,
    /// As JSON.
    spec: Box<str>,
    /// As JSON.
    status: Box<str>,
}

impl Object {
    /// What matters of an object; `None` when it is on its way out, or is no object at all.
    #[must_use]
    pub fn of(object: DynamicObject) -> Option<Self> {
        let metadata = object.metadata;
        if metadata.deletion_timestamp.is_some() {
            return None;
        }
        let uid = metadata.uid.unwrap_or_default();
        let mut data = object.data;
        let status = data.get_mut("status").map(Value::take).map(without_conditions).unwrap_or_default();
        let spec = data.get_mut("spec").map(Value::take).unwrap_or_default();
        let id = status.get("id").and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok());
        Some(Self {
            name: metadata.name?.into(),
            id: id.or_else(|| Uuid::parse_str(&uid).ok()).unwrap_or_default(),
            uid: uid.into(),
            version: metadata.resource_version.unwrap_or_default().into(),
            created_at: metadata.creation_timestamp.map_or(Timestamp::UNIX_EPOCH, |at| at.0),
            email: spec.get("email").and_then(Value::as_str).map(Into::into),
            spec: spec.to_string().into(),
            status: status.to_string().into(),
        })
    }

    /// Whose it is, before anything else of it is believed: `status.id`, or the UID while that is absent or no UUID.
    #[must_use]
    pub const fn user_id(&self) -> UserId {
        UserId(self.id)
    }

    /// Whether a record has been written to it, be it one that cannot be read.
    pub(super) fn has_record(&self) -> bool {
        serde_json::from_str(&self.status).is_ok_and(|status: Value| status.get("id").is_some())
    }

    /// Rises with every write to any object of the kind (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>);
    /// 0 where an API server counts otherwise.
    pub(super) fn revision(&self) -> u64 {
        self.version.parse().unwrap_or_default()
    }

    /// The record.
    ///
    /// # Errors
    /// What of the object cannot be read, in words for an administrator.
    pub fn record(&self) -> Result<UserRecord, String> {
        record::read(&self.spec, &self.status, self.user_id(), self.created_at)
    }

    pub(super) fn stored(&self) -> Result<Stored, StoreError> {
        let user = self.record().map_err(|reason| self.corrupt(reason))?;
        Ok(Stored { user, version: Version(self.version.to_string()) })
    }

    /// This object as one that cannot be used.
    pub(super) fn corrupt(&self, reason: String) -> StoreError {
        let what = match &self.email {
            Some(email) => format!("{email} (VouchUser {})", self.name),
            None => format!("VouchUser {}", self.name),
        };
        StoreError::Corrupt { what, reason }
    }

    /// What of its status others must not have, however unreadable the rest is.
    #[must_use]
    pub fn claims(&self) -> Claims {
        let status: Value = serde_json::from_str(&self.status).unwrap_or_default();
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(Box::<str>::from);
        let keys = status.get("keys").and_then(Value::as_array).into_iter().flatten();
        let credentials = keys.filter_map(|key| {
            let since = text(key, "createdAt").and_then(|at| at.parse().ok()).unwrap_or(Timestamp::MAX);
            Some((text(key, "credentialId")?, since))
        });
        let invite = status.get("invite").and_then(|invite| text(invite, "hash"));
        Claims { credentials: credentials.collect(), invite }
    }

    /// Whether this is at least as new as `other`, an earlier look at the same object.
    pub(super) fn is_as_new_as(&self, other: &Self) -> bool {
        self.uid != other.uid || self.revision() >= other.revision()
    }
}

/// The operator's part is nobody's business here.
fn without_conditions(mut status: Value) -> Value {
    if let Some(members) = status.as_object_mut() {
        members.remove("conditions");
        members.remove("observedGeneration");
    }
    status
}

/// Shared by the index and whoever is at work on it.
pub(super) type SharedObject = Arc<Object>;
