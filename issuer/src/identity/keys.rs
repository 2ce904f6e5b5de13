//! A person's own keys: their names, and taking them away. And ending every session.

use jiff::Timestamp;
use vouch_issuer_api::enroll::KeyInfo;

use super::{change::change, login::Answered, refusal::Refusal};
use crate::store::{
    Store, Stored,
    record::{EnrolledKey, UserRecord},
};

/// The longest name, in characters.
const MAX_NAME: usize = 64;

/// A key as its owner sees it.
#[must_use]
pub fn key_info(key: &EnrolledKey, current: &str) -> KeyInfo {
    KeyInfo {
        id: key.id.clone(),
        name: key.name.clone(),
        aaguid: key.aaguid,
        created_at: key.created_at,
        last_used_at: key.last_used_at,
        current: key.id == current,
        credential_id: key.credential_id.0.clone(),
    }
}

/// Gives a key another name.
///
/// # Errors
/// When there is no such key, or the name will not do.
pub async fn rename(store: &dyn Store, owner: Stored, id: &str, name: &str) -> Result<EnrolledKey, Refusal> {
    let name = parse_name(name)?;
    let renamed = change(store, owner, |user| {
        if user.keys.iter().any(|key| key.name == name && key.id != id) {
            return Err(Refusal::NameTaken(name.clone()));
        }
        let mut next = user.clone();
        let key = next.keys.iter_mut().find(|key| key.id == id).ok_or_else(|| Refusal::NoSuchKey(id.to_owned()))?;
        key.name.clone_from(&name);
        let key = key.clone();
        Ok((next, key))
    });
    Ok(renamed.await?.1)
}

/// Takes a key away; its sessions are over with it. A fresh assertion by a key of the same person pays for it: whoever
/// has no more than a session (a program on the person's machine) locks nobody out.
///
/// # Errors
/// What is wrong with the assertion; when there is no such key, or it is the last one and `allow_last` is false.
pub async fn remove(
    store: &dyn Store,
    owner: Stored,
    answered: &Answered<'_>,
    id: &str,
    allow_last: bool,
) -> Result<EnrolledKey, Refusal> {
    let removed = answered.consume_for(store, owner, |mut next| {
        let position = next.keys.iter().position(|key| key.id == id);
        let key = next.keys.remove(position.ok_or_else(|| Refusal::NoSuchKey(id.to_owned()))?);
        if next.keys.is_empty() && !allow_last {
            return Err(Refusal::LastKey);
        }
        Ok((next, key))
    });
    removed.await
}

/// Ends every session of a person.
///
/// # Errors
/// When the store fails.
pub async fn end_sessions(store: &dyn Store, owner: Stored, now: Timestamp) -> Result<(), Refusal> {
    let ended = change(store, owner, |user| {
        let mut next = user.clone();
        next.end_sessions(now);
        Ok((next, ()))
    });
    ended.await.map(|_| ())
}

/// A name as it is kept.
pub(super) fn parse_name(text: &str) -> Result<String, Refusal> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Refusal::Name);
    }
    Ok(name.to_owned())
}

/// `name`, or the first of `name 2`, `name 3`, … that no other key has. A registration is never refused for its name:
/// the credential is on the key by then.
pub(super) fn distinct_name(user: &UserRecord, name: &str) -> String {
    let taken = |name: &str| user.keys.iter().any(|key| key.name == name);
    if !taken(name) {
        return name.to_owned();
    }
    let numbered = |number: usize| {
        let suffix = format!(" {number}");
        name.chars().take(MAX_NAME - suffix.len()).chain(suffix.chars()).collect::<String>()
    };
    (2..).map(numbered).find(|name| !taken(name)).unwrap_or_else(|| name.to_owned())
}
