//! What every store must do, as a suite that each implementation runs: `store_conformance!(subject)` in its tests.
//!
//! It knows nothing of any implementation beyond [`Subject`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::{
    Store, StoreError, Stored,
    record::{CredentialId, EnrolledKey, Invite, InviteHash, UserId, UserRecord},
};

/// A place for records, empty at first.
#[async_trait]
pub trait Subject: Send + Sync {
    /// A new handle on the same records, as another replica would hold it.
    async fn store(&self) -> Arc<dyn Store>;
    /// Makes the record unreadable behind the store's back.
    async fn corrupt(&self, id: UserId);
    /// Whether writers queue for one lock, and are told that the store is unavailable when that takes too long.
    fn queues_writers(&self) -> bool {
        false
    }
}

/// Makes one test of every case. The expression makes an empty [`Subject`](crate::store::conformance::Subject).
#[macro_export]
macro_rules! store_conformance {
    ($subject:expr) => {
        $crate::store_conformance!(@cases $subject;
            finds_a_person_by_every_index,
            finds_nobody_by_what_nobody_has,
            lists_everybody_by_email,
            indexes_follow_a_replacement,
            versions_differ_after_every_write,
            refuses_to_create_over_anything_taken,
            refuses_to_take_what_belongs_to_another_person,
            refuses_a_replacement_of_what_has_changed,
            refuses_a_replacement_of_what_is_not_there,
            refuses_a_replacement_that_is_somebody_else,
            loses_no_update_among_parallel_replacers,
            enrolls_a_contested_credential_once,
            tells_of_changes_through_this_and_another_handle,
            reports_an_unreadable_record_and_leaves_it_alone,
            is_healthy,
        );
    };
    (@cases $subject:expr; $($case:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let subject = $subject;
                $crate::store::conformance::$case(&subject).await;
            }
        )+
    };
}

/// A person without keys.
pub fn person(name: &str) -> UserRecord {
    let now = Timestamp::from_second(1_790_000_000).unwrap();
    UserRecord {
        id: UserId(Uuid::new_v4()),
        email: format!("{name}@example.com").parse().unwrap(),
        groups: vec!["developers".to_owned()],
        disabled: false,
        created_at: now,
        sessions_valid_from: now,
        keys: Vec::new(),
        invite: None,
        used_challenges: Vec::new(),
    }
}

/// What is kept of a key to verify its assertions with; `credential` is the credential id, in base64url.
pub fn passkey(credential: &str) -> serde_json::Value {
    json!({"cred": {
        "cred_id": credential,
        "cred": {"type_": "ES256", "key": {"EC_EC2": {
            "curve": "SECP256R1",
            "x": "wn5_bfwXgxX8Bt9jLP6MG-YRXgWFHGgpkEWrlaEayPM",
            "y": "j3u3nBiyFfh1n6JFqzS8_Bo7Bi9nXBM6dWf5ANsIX8Q",
        }}},
        "counter": 1, "transports": null, "user_verified": true, "backup_eligible": false, "backup_state": false,
        "registration_policy": "required",
        "extensions": {"cred_protect": {"Set": "userVerificationRequired"}, "hmac_create_secret": "NotRequested",
            "appid": "NotRequested", "cred_props": "Ignored"},
        "attestation": {"data": "None", "metadata": "None"}, "attestation_format": "none",
    }})
}

/// A key whose credential id is `credential`, in base64url.
pub fn key(credential: &str) -> EnrolledKey {
    EnrolledKey {
        id: credential.chars().take(16).collect(),
        credential_id: CredentialId(credential.to_owned()),
        name: "blue".to_owned(),
        aaguid: None,
        attested: false,
        created_at: Timestamp::from_second(1_790_000_001).unwrap(),
        last_used_at: None,
        passkey: serde_json::from_value(passkey(credential)).unwrap(),
    }
}

fn invite(hash: &str) -> Invite {
    Invite {
        hash: InviteHash(hash.to_owned()),
        expires_at: Timestamp::from_second(1_790_600_000).unwrap(),
        used_at: None,
    }
}

/// All of a record but when it was made, which is the store's to say.
fn text(user: &UserRecord) -> serde_json::Value {
    let mut value = serde_json::to_value(user).unwrap();
    value.as_object_mut().unwrap().remove("created_at");
    value
}

/// The same person in one group more.
fn changed(user: &UserRecord) -> UserRecord {
    let mut next = user.clone();
    next.groups.push(format!("group-{}", next.groups.len()));
    next
}

async fn find(store: &dyn Store, id: UserId) -> Stored {
    store.user(id).await.unwrap().expect("the person is there")
}

pub async fn finds_a_person_by_every_index(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut alice = person("alice");
    alice.keys = vec![key("a2V5LW9uZQ"), key("a2V5LXR3bw")];
    alice.invite = Some(invite("hash-of-alice"));
    store.create(&alice).await.unwrap();
    store.create(&person("bob")).await.unwrap();
    let other_handle = subject.store().await;
    for found in [
        other_handle.user(alice.id).await,
        other_handle.user_by_email(&alice.email).await,
        other_handle.user_by_credential(&CredentialId("a2V5LW9uZQ".to_owned())).await,
        other_handle.user_by_credential(&CredentialId("a2V5LXR3bw".to_owned())).await,
        other_handle.user_by_invite(&InviteHash("hash-of-alice".to_owned())).await,
    ] {
        assert_eq!(text(&found.unwrap().unwrap().user), text(&alice));
    }
}

pub async fn finds_nobody_by_what_nobody_has(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut alice = person("alice");
    alice.keys = vec![key("a2V5LW9uZQ")];
    store.create(&alice).await.unwrap();
    assert!(store.user(UserId(Uuid::new_v4())).await.unwrap().is_none());
    assert!(store.user_by_email(&"bob@example.com".parse().unwrap()).await.unwrap().is_none());
    assert!(store.user_by_credential(&CredentialId("a2V5LW9uZR".to_owned())).await.unwrap().is_none());
    assert!(store.user_by_credential(&CredentialId(String::new())).await.unwrap().is_none());
    assert!(store.user_by_invite(&InviteHash(String::new())).await.unwrap().is_none());
}

pub async fn lists_everybody_by_email(subject: &dyn Subject) {
    let store = subject.store().await;
    assert!(store.users().await.unwrap().people.is_empty());
    for name in ["carol", "alice", "bob"] {
        store.create(&person(name)).await.unwrap();
    }
    let emails: Vec<_> =
        store.users().await.unwrap().people.into_iter().map(|stored| stored.user.email.to_string()).collect();
    assert_eq!(emails, ["alice@example.com", "bob@example.com", "carol@example.com"]);
}

pub async fn indexes_follow_a_replacement(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut alice = person("alice");
    alice.keys = vec![key("b2xk"), key("a2VwdA")];
    alice.invite = Some(invite("old"));
    let created = store.create(&alice).await.unwrap();
    let mut next = alice.clone();
    next.keys = vec![key("a2VwdA"), key("bmV3")];
    next.invite = Some(invite("new"));
    store.replace(&created, &next).await.unwrap();
    assert_eq!(text(&find(&*store, alice.id).await.user), text(&next));
    let credential = |id: &str| CredentialId(id.to_owned());
    assert!(store.user_by_credential(&credential("b2xk")).await.unwrap().is_none());
    assert!(store.user_by_credential(&credential("a2VwdA")).await.unwrap().is_some());
    assert!(store.user_by_credential(&credential("bmV3")).await.unwrap().is_some());
    assert!(store.user_by_invite(&InviteHash("old".to_owned())).await.unwrap().is_none());
    assert!(store.user_by_invite(&InviteHash("new".to_owned())).await.unwrap().is_some());
    let mut bob = person("bob");
    bob.keys = vec![key("b2xk")];
    bob.invite = Some(invite("old"));
    store.create(&bob).await.expect("what alice gave up is free");
}

pub async fn versions_differ_after_every_write(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut current = store.create(&person("alice")).await.unwrap();
    for _ in 0..3 {
        let next = store.replace(&current, &changed(&current.user)).await.unwrap();
        assert_ne!(next.version, current.version);
        assert_eq!(next.user.created_at, current.user.created_at);
        assert_eq!(find(&*store, next.user.id).await.version, next.version);
        current = next;
    }
}

pub async fn refuses_to_create_over_anything_taken(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut alice = person("alice");
    alice.keys = vec![key("a2V5LW9uZQ")];
    store.create(&alice).await.unwrap();
    let same_id = UserRecord { id: alice.id, ..person("bob") };
    let same_email = UserRecord { email: alice.email.clone(), ..person("bob") };
    let same_credential = UserRecord { keys: alice.keys.clone(), ..person("bob") };
    for taken in [same_id, same_email, same_credential] {
        let error = store.create(&taken).await.unwrap_err();
        assert!(matches!(error, StoreError::Taken(_)), "{error}");
    }
    let everybody = store.users().await.unwrap().people;
    assert_eq!(everybody.len(), 1);
    assert_eq!(text(&everybody[0].user), text(&alice));
}

pub async fn refuses_to_take_what_belongs_to_another_person(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut alice = person("alice");
    alice.keys = vec![key("a2V5LW9uZQ")];
    store.create(&alice).await.unwrap();
    let bob = store.create(&person("bob")).await.unwrap();
    let same_email = UserRecord { email: alice.email.clone(), ..bob.user.clone() };
    let same_credential = UserRecord { keys: alice.keys.clone(), ..bob.user.clone() };
    for taken in [same_email, same_credential] {
        let error = store.replace(&bob, &taken).await.unwrap_err();
        assert!(matches!(error, StoreError::Taken(_)), "{error}");
    }
    let after = find(&*store, bob.user.id).await;
    assert_eq!((text(&after.user), &after.version), (text(&bob.user), &bob.version));
    let owner = store.user_by_credential(&CredentialId("a2V5LW9uZQ".to_owned())).await.unwrap().unwrap();
    assert_eq!(owner.user.id, alice.id);
}

pub async fn refuses_a_replacement_of_what_has_changed(subject: &dyn Subject) {
    let (store, other) = (subject.store().await, subject.store().await);
    let read = store.create(&person("alice")).await.unwrap();
    let first = UserRecord { groups: vec!["first".to_owned()], ..read.user.clone() };
    let second = UserRecord { groups: vec!["second".to_owned()], keys: vec![key("c2Vjb25k")], ..read.user.clone() };
    other.replace(&read, &first).await.unwrap();
    let error = store.replace(&read, &second).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict), "{error}");
    assert_eq!(text(&find(&*other, read.user.id).await.user), text(&first));
    assert!(other.user_by_credential(&CredentialId("c2Vjb25k".to_owned())).await.unwrap().is_none());
}

pub async fn refuses_a_replacement_of_what_is_not_there(subject: &dyn Subject) {
    let store = subject.store().await;
    let stranger = person("alice");
    let never_stored = Stored { user: stranger.clone(), version: super::Version("1".to_owned()) };
    let error = store.replace(&never_stored, &stranger).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing), "{error}");
    assert!(store.users().await.unwrap().people.is_empty());
}

pub async fn refuses_a_replacement_that_is_somebody_else(subject: &dyn Subject) {
    let store = subject.store().await;
    let alice = store.create(&person("alice")).await.unwrap();
    let renamed = UserRecord { email: "alice.new@example.com".parse().unwrap(), ..alice.user.clone() };
    for somebody_else in [person("bob"), renamed] {
        let error = store.replace(&alice, &somebody_else).await.unwrap_err();
        assert!(matches!(error, StoreError::Taken(_)), "{error}");
    }
    let everybody = store.users().await.unwrap().people;
    assert_eq!((everybody.len(), everybody[0].user.email.as_str()), (1, "alice@example.com"));
}

pub async fn loses_no_update_among_parallel_replacers(subject: &dyn Subject) {
    let store = subject.store().await;
    let alice = store.create(&person("alice")).await.unwrap().user;
    let mut replacers = Vec::new();
    for number in 0..32 {
        let (store, may_wait) = (subject.store().await, subject.queues_writers());
        replacers.push(tokio::spawn(async move {
            loop {
                let current = store.user(alice.id).await.unwrap().unwrap();
                let mut next = current.user.clone();
                next.groups.push(format!("group-{number}"));
                match store.replace(&current, &next).await {
                    Ok(_) => return,
                    Err(StoreError::Conflict) => {}
                    Err(StoreError::Unavailable(_)) if may_wait => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }));
    }
    for replacer in replacers {
        tokio::time::timeout(Duration::from_secs(60), replacer).await.expect("no replacer starves").unwrap();
    }
    let groups: BTreeSet<_> = find(&*subject.store().await, alice.id).await.user.groups.into_iter().collect();
    assert_eq!(groups.len(), 33);
}

pub async fn enrolls_a_contested_credential_once(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut contenders = Vec::new();
    for number in 0..8 {
        let store = subject.store().await;
        let current = store.create(&person(&format!("user{number}"))).await.unwrap();
        contenders.push(tokio::spawn(async move {
            let next = UserRecord { keys: vec![key("Y29udGVzdGVk")], ..current.user.clone() };
            match store.replace(&current, &next).await {
                Ok(_) => true,
                Err(StoreError::Taken(_)) => false,
                Err(error) => panic!("{error}"),
            }
        }));
    }
    let mut winners = 0;
    for contender in contenders {
        winners += u32::from(contender.await.unwrap());
    }
    assert_eq!(winners, 1);
    let holders = store.users().await.unwrap().people.into_iter().filter(|stored| !stored.user.keys.is_empty()).count();
    assert_eq!(holders, 1);
}

/// A machine under load may be late once; a store that keeps its promise is not late every time.
pub async fn tells_of_changes_through_this_and_another_handle(subject: &dyn Subject) {
    let (store, other) = (subject.store().await, subject.store().await);
    let mut changes = store.changes();
    let mut current = store.create(&person("alice")).await.unwrap();
    for writer in [&store, &other] {
        let mut in_time = false;
        for _ in 0..5 {
            changes.mark_unchanged();
            current = writer.replace(&current, &changed(&current.user)).await.unwrap();
            let written = Instant::now();
            tokio::time::timeout(Duration::from_secs(30), changes.changed()).await.expect("told at all").unwrap();
            in_time |= written.elapsed() <= Duration::from_millis(500);
        }
        assert!(in_time, "never told within half a second");
    }
}

pub async fn reports_an_unreadable_record_and_leaves_it_alone(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut alice = person("alice");
    alice.keys = vec![key("a2V5LW9uZQ")];
    let read = store.create(&alice).await.unwrap();
    let bob = store.create(&person("bob")).await.unwrap();
    subject.corrupt(alice.id).await;
    let store = subject.store().await;
    for outcome in [
        store.user(alice.id).await.map(drop),
        store.user_by_email(&alice.email).await.map(drop),
        store.user_by_credential(&alice.keys[0].credential_id).await.map(drop),
    ] {
        let error = outcome.unwrap_err();
        let StoreError::Corrupt { what, .. } = &error else { panic!("{error}") };
        assert!(what.contains("alice"), "{what}");
    }
    let everybody = store.users().await.unwrap();
    let others: Vec<&str> = everybody.people.iter().map(|stored| stored.user.email.as_str()).collect();
    assert_eq!(others, ["bob@example.com"], "one damaged record hides no other");
    assert!(matches!(everybody.damaged.as_slice(), [damaged] if damaged.what.contains("alice")), "{everybody:?}");
    let again = store.create(&UserRecord { id: UserId(Uuid::new_v4()), ..alice.clone() }).await.unwrap_err();
    assert!(matches!(again, StoreError::Taken(_)), "{again}");
    assert!(matches!(store.user(alice.id).await, Err(StoreError::Corrupt { .. })));
    assert_eq!(text(&find(&*store, bob.user.id).await.user), text(&bob.user));
    drop(read);
}

pub async fn is_healthy(subject: &dyn Subject) {
    let store = subject.store().await;
    store.health().await.unwrap();
    store.create(&person("alice")).await.unwrap();
    store.health().await.unwrap();
}
