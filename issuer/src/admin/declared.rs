//! People whom the manifest declares: their groups, and whether they are disabled, are as declared.

use jiff::Timestamp;
use vouch_iam::identity::EmailAddress;

use super::{ATTEMPTS, Office, invite::new_user};
use crate::{
    audit::{Action, Audit, Event},
    config::DeclaredUser,
    store::{Store, StoreError, record::UserRecord},
};

impl Office {
    /// What the manifest says of a person.
    pub(super) fn declared(&self, email: &EmailAddress) -> Option<&DeclaredUser> {
        self.config.users.iter().find(|user| user.email == *email)
    }
}

/// Brings the records into line with the manifest. People whom the manifest no longer names stay as they are.
///
/// # Errors
/// When the store fails; what was done until then stays, and the rest is done the next time.
pub async fn apply_declared(
    store: &dyn Store,
    audit: &Audit,
    users: &[DeclaredUser],
    now: Timestamp,
) -> Result<(), StoreError> {
    for declared in users {
        let mut attempts = 0;
        while let Err(error) = apply(store, audit, declared, now).await {
            attempts += 1;
            let somebody_was_faster = matches!(error, StoreError::Conflict | StoreError::Taken(_));
            if !somebody_was_faster || attempts == ATTEMPTS {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Whom a manifest declared and does not declare any more. Nothing changes for them.
#[must_use]
pub fn no_longer_declared<'a>(before: &'a [DeclaredUser], now: &[DeclaredUser]) -> Vec<&'a EmailAddress> {
    let declared = |email: &EmailAddress| now.iter().any(|user| user.email == *email);
    before.iter().map(|user| &user.email).filter(|email| !declared(email)).collect()
}

async fn apply(store: &dyn Store, audit: &Audit, declared: &DeclaredUser, now: Timestamp) -> Result<(), StoreError> {
    let Some(stored) = store.user_by_email(&declared.email).await? else {
        let user = as_declared(new_user(declared.email.clone(), now), declared, now);
        store.create(&user).await?;
        return Ok(());
    };
    let next = as_declared(stored.user.clone(), declared, now);
    if next.groups == stored.user.groups && next.disabled == stored.user.disabled {
        return Ok(());
    }
    store.replace(&stored, &next).await?;
    if next.disabled != stored.user.disabled {
        let action = if next.disabled { Action::Disabled } else { Action::Enabled };
        let detail = Some("by the manifest".to_owned());
        audit.record(now, &Event { user_id: Some(next.id), email: Some(next.email), detail, ..Event::new(action) });
    }
    Ok(())
}

fn as_declared(mut user: UserRecord, declared: &DeclaredUser, now: Timestamp) -> UserRecord {
    user.groups.clone_from(&declared.groups);
    user.groups.sort();
    user.groups.dedup();
    if declared.disabled && !user.disabled {
        user.end_sessions(now);
    }
    user.disabled = declared.disabled;
    user
}
