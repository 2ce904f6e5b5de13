//! People whom the manifest declares: their groups, and whether they are disabled, are as declared.

use jiff::Timestamp;
use vouch_iam::identity::EmailAddress;

use super::{ATTEMPTS, Office, invite::new_user};
use crate::{
    audit::{Action, Audit, Event, TrailFault},
    config::DeclaredUser,
    store::{Store, StoreError, record::UserRecord},
};

/// Why the records are not in line with the manifest.
#[derive(Debug, thiserror::Error)]
pub enum DeclaredFault {
    /// The store.
    #[error("the people whom the manifest declares could not be brought into line with it")]
    Store(#[from] StoreError),
    /// Somebody would be enabled without a line of it.
    #[error("{email} is not enabled, as the manifest declares, because nothing is granted without an audit line")]
    Trail {
        /// Who.
        email: EmailAddress,
        /// Why there would be no line.
        source: TrailFault,
    },
}

impl Office {
    /// What the manifest says of a person.
    pub(super) fn declared(&self, email: &EmailAddress) -> Option<&DeclaredUser> {
        self.config.users.iter().find(|user| user.email == *email)
    }
}

/// Brings the records into line with the manifest. People whom the manifest no longer names stay as they are.
///
/// # Errors
/// When the store fails, or somebody would be enabled off the record; what was done until then stays, and the rest is done
/// the next time.
pub async fn apply_declared(
    store: &dyn Store,
    audit: &Audit,
    users: &[DeclaredUser],
    now: Timestamp,
) -> Result<(), DeclaredFault> {
    for declared in users {
        let mut attempts = 0;
        while let Err(error) = apply(store, audit, declared, now).await {
            attempts += 1;
            let somebody_was_faster =
                matches!(error, DeclaredFault::Store(StoreError::Conflict | StoreError::Taken(_)));
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

async fn apply(store: &dyn Store, audit: &Audit, declared: &DeclaredUser, now: Timestamp) -> Result<(), DeclaredFault> {
    let Some(stored) = store.user_by_email(&declared.email).await? else {
        let user = as_declared(new_user(declared.email.clone(), now), declared, now);
        store.create(&user).await?;
        return Ok(());
    };
    let next = as_declared(stored.user.clone(), declared, now);
    if next.groups == stored.user.groups && next.disabled == stored.user.disabled {
        return Ok(());
    }
    if next.disabled == stored.user.disabled {
        store.replace(&stored, &next).await?;
        return Ok(());
    }
    let action = if next.disabled { Action::Disabled } else { Action::Enabled };
    let trail_fault = |source| DeclaredFault::Trail { email: next.email.clone(), source };
    let room = audit.room_for(action).await.map_err(trail_fault)?;
    store.replace(&stored, &next).await?;
    let detail = Some("by the manifest".to_owned());
    let event = Event { user_id: Some(next.id), email: Some(next.email), detail, ..Event::new(action) };
    audit.record_in(room, now, &event);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        database::Database,
        store::{conformance::person, sqlite::SqliteStore},
    };

    #[tokio::test]
    async fn a_manifest_disables_in_any_case_and_enables_nobody_off_the_record() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::new(Database::create(&directory.path().join("vouch.db")).unwrap());
        let alice = store.create(&person("alice")).await.unwrap().user;
        let (reader, writer) = std::io::pipe().unwrap();
        let audit = Audit::to(Box::new(writer));
        while let Ok(room) = audit.room_for(Action::Minted).await {
            audit.record_in(room, alice.created_at, &Event::new(Action::Minted));
        }
        let declare = async |disabled| {
            let alice = DeclaredUser { email: alice.email.clone(), groups: alice.groups.clone(), disabled };
            apply_declared(&store, &audit, &[alice], "2026-11-21T09:00:00Z".parse().unwrap()).await
        };
        let is_disabled = async || store.user(alice.id).await.unwrap().unwrap().user.disabled;
        declare(true).await.unwrap();
        assert!(is_disabled().await);
        let fault = declare(false).await.unwrap_err();
        assert!(matches!(fault, DeclaredFault::Trail { source: TrailFault::Unread, .. }), "{fault}");
        assert!(is_disabled().await);
        let read = std::thread::spawn(move || std::io::read_to_string(reader).unwrap());
        audit.written().await.unwrap();
        declare(false).await.unwrap();
        assert!(!is_disabled().await);
        drop(audit);
        let told: Vec<_> =
            read.join().unwrap().lines().filter(|line| line.contains("alice")).map(str::to_owned).collect();
        assert!(told.len() == 2 && told.iter().all(|line| line.contains("by the manifest")), "{told:?}");
    }
}
