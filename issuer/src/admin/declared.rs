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
        self.declared.iter().flatten().find(|user| user.email == *email)
    }

    /// Whether the manifest says something of a person, if that is known.
    pub(super) fn is_declared(&self, email: &EmailAddress) -> Option<bool> {
        self.declared.is_some().then(|| self.declared(email).is_some())
    }
}

/// Whether a person is as declared.
enum Outcome {
    InLine,
    /// But for being enabled, which waits for everybody else.
    StillDisabled,
}

/// When somebody is enabled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Enabling {
    Later,
    Now,
}

/// Brings the records into line with the manifest. People whom the manifest no longer names stay as they are.
///
/// Whoever is to be enabled waits until everybody else is as declared, so that a trail that takes no lines keeps nobody from
/// being disabled; nor does a record that cannot be changed.
///
/// # Errors
/// When the store fails, or somebody would be enabled off the record ([`DeclaredFault::Trail`]: only people to be enabled
/// are not as declared then). What was done stays, and the rest is done the next time.
pub async fn apply_declared(
    store: &dyn Store,
    audit: &Audit,
    users: &[DeclaredUser],
    now: Timestamp,
) -> Result<(), DeclaredFault> {
    let mut first_fault = Ok(());
    let mut to_enable = Vec::new();
    for declared in users {
        match bring_into_line(store, audit, declared, Enabling::Later, now).await {
            Ok(Outcome::InLine) => {}
            Ok(Outcome::StillDisabled) => to_enable.push(declared),
            Err(fault) => first_fault = first_fault.and(Err(fault)),
        }
    }
    first_fault?;
    for declared in to_enable {
        bring_into_line(store, audit, declared, Enabling::Now, now).await?;
    }
    Ok(())
}

/// Tries again when somebody was faster.
async fn bring_into_line(
    store: &dyn Store,
    audit: &Audit,
    declared: &DeclaredUser,
    enabling: Enabling,
    now: Timestamp,
) -> Result<Outcome, DeclaredFault> {
    let mut attempts = 1;
    loop {
        match apply(store, audit, declared, enabling, now).await {
            Err(DeclaredFault::Store(StoreError::Conflict | StoreError::Taken(_))) if attempts < ATTEMPTS => {
                attempts += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Whom a manifest declared and does not declare any more. Nothing changes for them.
#[must_use]
pub fn no_longer_declared<'a>(before: &'a [DeclaredUser], now: &[DeclaredUser]) -> Vec<&'a EmailAddress> {
    let declared = |email: &EmailAddress| now.iter().any(|user| user.email == *email);
    before.iter().map(|user| &user.email).filter(|email| !declared(email)).collect()
}

async fn apply(
    store: &dyn Store,
    audit: &Audit,
    declared: &DeclaredUser,
    enabling: Enabling,
    now: Timestamp,
) -> Result<Outcome, DeclaredFault> {
    let Some(stored) = store.user_by_email(&declared.email).await? else {
        let user = as_declared(new_user(declared.email.clone(), now), declared, now);
        store.create(&user).await?;
        return Ok(Outcome::InLine);
    };
    let next = as_declared(stored.user.clone(), declared, now);
    if next.disabled == stored.user.disabled {
        if next.groups != stored.user.groups {
            store.replace(&stored, &next).await?;
        }
        return Ok(Outcome::InLine);
    }
    let (action, room) = match (next.disabled, enabling) {
        (true, _) => (Action::Disabled, None),
        (false, Enabling::Later) => return Ok(Outcome::StillDisabled),
        (false, Enabling::Now) => {
            let trail_fault = |source| DeclaredFault::Trail { email: next.email.clone(), source };
            (Action::Enabled, audit.room_for(Action::Enabled).await.map_err(trail_fault)?)
        }
    };
    store.replace(&stored, &next).await?;
    let detail = Some("by the manifest".to_owned());
    let event = Event { user_id: Some(next.id), email: Some(next.email), detail, ..Event::new(action) };
    audit.record_in(room, now, &event);
    Ok(Outcome::InLine)
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

    fn declared(user: &UserRecord, disabled: bool) -> DeclaredUser {
        DeclaredUser { email: user.email.clone(), groups: user.groups.clone(), disabled }
    }

    /// A store with alice in it and a trail that nobody reads.
    async fn unread() -> (tempfile::TempDir, SqliteStore, UserRecord, std::io::PipeReader, Audit) {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::new(Database::create(&directory.path().join("vouch.db")).unwrap());
        let alice = store.create(&person("alice")).await.unwrap().user;
        let (reader, writer) = std::io::pipe().unwrap();
        let audit = Audit::to(Box::new(writer));
        while let Ok(room) = audit.room_for(Action::Minted).await {
            audit.record_in(room, alice.created_at, &Event::new(Action::Minted));
        }
        (directory, store, alice, reader, audit)
    }

    #[tokio::test]
    async fn a_manifest_disables_in_any_case_and_enables_nobody_off_the_record() {
        let (_directory, store, alice, reader, audit) = unread().await;
        let now = "2026-11-21T09:00:00Z".parse().unwrap();
        let declare = async |disabled| apply_declared(&store, &audit, &[declared(&alice, disabled)], now).await;
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

    #[tokio::test]
    async fn whoever_cannot_be_enabled_keeps_nobody_from_losing_rights() {
        let (_directory, store, alice, _reader, audit) = unread().await;
        let bob = UserRecord { disabled: true, ..person("bob") };
        let mallory = UserRecord { groups: vec!["admins".to_owned()], ..person("mallory") };
        for user in [&bob, &mallory] {
            store.create(user).await.unwrap();
        }
        let narrowed = DeclaredUser { groups: Vec::new(), ..declared(&mallory, false) };
        let users = [declared(&bob, false), declared(&alice, true), narrowed];
        let fault = apply_declared(&store, &audit, &users, alice.created_at).await.unwrap_err();
        assert!(matches!(fault, DeclaredFault::Trail { email, .. } if email == bob.email));
        let stored = async |user: &UserRecord| store.user(user.id).await.unwrap().unwrap().user;
        assert!(stored(&bob).await.disabled, "enabled off the record");
        assert!(stored(&alice).await.disabled);
        assert!(stored(&mallory).await.groups.is_empty());
    }
}
