//! A person's record as a `VouchUser` and back. Pure.
//!
//! E-mail, groups and `disabled` are the spec, all else is the status. When the record was made is the object's own
//! creation, and who it is about is `status.id`, or the object's UID while nobody has written one.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;
use vouch_crds::{
    API_VERSION, names,
    user::{self, VouchUserSpec, VouchUserStatus},
};
use webauthn_rs::prelude::{Credential, Passkey};

use super::fault::ClusterFault;
use crate::{
    identity::webauthn::credential_id,
    store::record::{CredentialId, EnrolledKey, Invite, InviteHash, UsedChallenge, UserId, UserRecord},
};

/// The record in an object's `spec` and `status`, both as JSON; `null` is a status that nobody has written.
///
/// # Errors
/// What of the object cannot be read, in words for an administrator.
pub(super) fn read(spec: &str, status: &str, id: UserId, created_at: Timestamp) -> Result<UserRecord, String> {
    let spec: VouchUserSpec = half("spec", spec)?;
    let status = half::<Option<VouchUserStatus>>("status", status)?.unwrap_or_default();
    if let Some(text) = status.id.as_deref().filter(|text| Uuid::parse_str(text) != Ok(id.0)) {
        return Err(format!("status.id is `{text}`, which is no UUID"));
    }
    let mut groups = spec.groups;
    groups.sort();
    groups.dedup();
    Ok(UserRecord {
        id,
        email: spec.email.parse().map_err(|error| format!("spec.email: {error}"))?,
        groups,
        disabled: spec.disabled,
        created_at,
        sessions_valid_from: status.sessions_valid_from.map_or(created_at, |at| at.0),
        keys: status.keys.iter().map(read_key).collect::<Result<_, _>>()?,
        invite: status.invite.as_ref().map(|invite| Invite {
            hash: InviteHash(invite.hash.clone()),
            expires_at: invite.expires_at.0,
            used_at: invite.used_at.map(|at| at.0),
        }),
        used_challenges: status.used_challenges.iter().map(read_challenge).collect(),
    })
}

fn half<T: DeserializeOwned>(name: &str, json: &str) -> Result<T, String> {
    // Once more by way of a value, for the words alone: a position in this text is none in the administrator's.
    let read =
        serde_json::from_str(json).or_else(|_| serde_json::from_str::<Value>(json).and_then(serde_json::from_value));
    read.map_err(|error| format!("{name}: {error}"))
}

fn read_key(key: &user::EnrolledKey) -> Result<EnrolledKey, String> {
    let of_key = |what: &str| format!("key {}: {what}", key.id);
    let passkey: Passkey =
        serde_json::from_str(&key.credential).map_err(|error| of_key(&format!("credential: {error}")))?;
    if credential_id(passkey.cred_id()).0 != key.credential_id {
        return Err(of_key("credential is that of another credentialId"));
    }
    let aaguid = key.aaguid.as_deref().map(Uuid::parse_str).transpose().map_err(|_| of_key("aaguid is no UUID"))?;
    Ok(EnrolledKey {
        id: key.id.clone(),
        credential_id: CredentialId(key.credential_id.clone()),
        name: key.name.clone(),
        aaguid,
        attested: key.attested,
        created_at: key.created_at.0,
        last_used_at: key.last_used_at.map(|at| at.0),
        passkey,
    })
}

fn read_challenge(used: &user::UsedChallenge) -> UsedChallenge {
    UsedChallenge { digest: used.digest.clone(), expires_at: used.expires_at.0 }
}

/// The object of a person whom nobody has declared.
pub(super) fn new_object(user: &UserRecord) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": "VouchUser",
        "metadata": {"name": names::user_object_name(user.email.as_str())},
        "spec": {"email": user.email, "groups": user.groups, "disabled": user.disabled},
    })
}

/// What a merge patch makes of the spec.
pub(super) fn spec(user: &UserRecord) -> Value {
    json!({"groups": user.groups, "disabled": user.disabled})
}

/// What a merge patch makes of the status; the operator's conditions are not in it and stay.
pub(super) fn status(user: &UserRecord) -> Result<Value, ClusterFault> {
    let keys = user.keys.iter().map(write_key).collect::<Result<Vec<_>, _>>()?;
    let status = VouchUserStatus {
        conditions: Vec::new(),
        observed_generation: None,
        id: Some(user.id.0.to_string()),
        sessions_valid_from: Some(user.sessions_valid_from.into()),
        key_count: u32::try_from(keys.len()).unwrap_or(u32::MAX),
        keys,
        invite: user.invite.as_ref().map(|invite| user::Invite {
            hash: invite.hash.0.clone(),
            expires_at: invite.expires_at.into(),
            used_at: invite.used_at.map(Into::into),
        }),
        used_challenges: user.used_challenges.iter().map(write_challenge).collect(),
    };
    let mut value = serde_json::to_value(status)?;
    if let Some(members) = value.as_object_mut() {
        members.entry("invite").or_insert(Value::Null);
        if let Some(invite) = members.get_mut("invite").and_then(Value::as_object_mut) {
            invite.entry("usedAt").or_insert(Value::Null);
        }
    }
    Ok(value)
}

fn write_key(key: &EnrolledKey) -> Result<user::EnrolledKey, serde_json::Error> {
    Ok(user::EnrolledKey {
        id: key.id.clone(),
        credential_id: key.credential_id.0.clone(),
        name: key.name.clone(),
        aaguid: key.aaguid.map(|aaguid| aaguid.to_string()),
        attested: key.attested,
        created_at: key.created_at.into(),
        last_used_at: key.last_used_at.map(Into::into),
        counter: Credential::from(key.passkey.clone()).counter,
        credential: serde_json::to_string(&key.passkey)?,
    })
}

fn write_challenge(used: &UsedChallenge) -> user::UsedChallenge {
    user::UsedChallenge { digest: used.digest.clone(), expires_at: used.expires_at.into() }
}
