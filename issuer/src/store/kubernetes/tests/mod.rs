#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod laws;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::{Value, json};
use vouch_crds::names::user_object_name;
use vouch_issuer_api::error::ErrorCode;

use super::{KubernetesStore, Scope};
use crate::{
    http::error::ApiError,
    store::{
        Store, StoreError, Stored,
        conformance::{Subject, key, person},
        record::{CredentialId, UserId, UserRecord},
    },
    testing::{api_server::ApiServer, until},
};

const USERS: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchusers";

fn path(name: &str) -> String {
    format!("{USERS}/{name}")
}

fn object_path(user: &UserRecord) -> String {
    path(&user_object_name(user.email.as_str()))
}

impl ApiServer {
    async fn store(&self) -> KubernetesStore {
        self.scoped(&Scope::Everybody).await
    }

    async fn scoped(&self, scope: &Scope) -> KubernetesStore {
        let store = KubernetesStore::follow(&self.cluster(), scope);
        tokio::time::timeout(Duration::from_secs(30), store.synced()).await.expect("synced in time");
        store
    }

    fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(path).unwrap();
        change(&mut object);
        self.put(path, object);
    }
}

struct InMemory(ApiServer);

#[async_trait]
impl Subject for InMemory {
    async fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.0.store().await)
    }

    async fn corrupt(&self, id: UserId) {
        let alice = path(&user_object_name("alice@example.com"));
        assert_eq!(self.0.get(&alice).unwrap()["status"]["id"], json!(id.0));
        self.0.edit(&alice, |object| object["status"]["keys"][0]["credential"] = json!("{"));
    }
}

crate::store_conformance!(InMemory(ApiServer::default()));

fn declared(email: &str, created: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchUser",
        "metadata": {"creationTimestamp": created, "uid": uid},
        "spec": {"email": email, "groups": ["b", "a", "b"]},
    })
}

const OLD: &str = "11111111-1111-4111-8111-111111111111";
const NEW: &str = "22222222-2222-4222-8222-222222222222";

#[tokio::test]
async fn a_person_declared_by_hand_is_known_by_the_uid_until_something_is_written() {
    let server = ApiServer::default();
    server.put(&path("alice"), declared("alice@example.com", "2026-11-21T09:00:00Z", OLD));
    let store = server.store().await;
    let alice = store.user_by_email(&"alice@example.com".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(alice.user.id.0.to_string(), OLD);
    assert_eq!(alice.user.groups, ["a", "b"]);
    assert_eq!(alice.user.sessions_valid_from, "2026-11-21T09:00:00Z".parse().unwrap());
    let next = UserRecord { keys: vec![key("a2V5LW9uZQ")], ..alice.user.clone() };
    store.replace(&alice, &next).await.unwrap();
    assert_eq!(server.get(&path("alice")).unwrap()["status"]["id"], OLD);
}

#[tokio::test]
async fn a_login_writes_the_status_once_and_nothing_else() {
    let server = ApiServer::default();
    let store = server.store().await;
    let alice = store.create(&UserRecord { keys: vec![key("a2V5LW9uZQ")], ..person("alice") }).await.unwrap();
    server.edit(&object_path(&alice.user), |object| {
        object["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    });
    until("the condition is known", async || {
        store.user(alice.user.id).await.unwrap().unwrap().version != alice.version
    })
    .await;
    let alice = store.user(alice.user.id).await.unwrap().unwrap();
    server.calls();
    let mut next = alice.user.clone();
    next.keys[0].last_used_at = Some("2026-11-21T10:00:00.000000001Z".parse().unwrap());
    let written = store.replace(&alice, &next).await.unwrap();
    assert_eq!(written.user.keys[0].last_used_at, next.keys[0].last_used_at, "to the nanosecond");
    assert_eq!(server.calls(), [format!("PATCH {}/status", object_path(&alice.user))]);
    let object = server.get(&object_path(&alice.user)).unwrap();
    assert_eq!(object["status"]["conditions"][0]["type"], "Ready", "the operator's part stays");
    assert_eq!(store.user(alice.user.id).await.unwrap().unwrap().version, written.version, "the index took the answer");
}

#[tokio::test]
async fn disabling_writes_the_declaration_before_the_status() {
    let server = ApiServer::default();
    let store = server.store().await;
    let alice = store.create(&person("alice")).await.unwrap();
    server.calls();
    let mut next = UserRecord { disabled: true, ..alice.user.clone() };
    next.end_sessions("2026-11-21T10:00:00Z".parse().unwrap());
    store.replace(&alice, &next).await.unwrap();
    let object = object_path(&alice.user);
    assert_eq!(server.calls(), [format!("PATCH {object}"), format!("PATCH {object}/status")]);
    assert_eq!(server.get(&object).unwrap()["spec"]["disabled"], true);
}

#[tokio::test]
async fn of_two_objects_with_one_address_the_older_is_the_person() {
    let server = ApiServer::default();
    server.put(&path("a-copy"), declared("alice@example.com", "2026-11-21T10:00:00Z", OLD));
    server.put(&path("alice"), declared("alice@example.com", "2026-11-21T09:00:00Z", NEW));
    let store = server.store().await;
    let alice = store.user_by_email(&"alice@example.com".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(alice.user.id.0.to_string(), NEW);
    assert!(store.user(UserId(OLD.parse().unwrap())).await.unwrap().is_none(), "the other one is nobody");
    assert_eq!(store.users().await.unwrap().people.len(), 1);
    server.delete(&path("alice"));
    until("the other one takes over", async || store.user(UserId(OLD.parse().unwrap())).await.unwrap().is_some()).await;
}

#[tokio::test]
async fn an_object_with_a_key_or_an_id_of_another_person_is_not_let_in() {
    let server = ApiServer::default();
    let store = server.store().await;
    let alice = store.create(&UserRecord { keys: vec![key("a2V5LW9uZQ")], ..person("alice") }).await.unwrap();
    let keys = server.get(&object_path(&alice.user)).unwrap()["status"]["keys"].clone();
    for (status, what) in [
        (json!({"keys": keys_enrolled_later(&keys)}), "is enrolled in VouchUser"),
        (json!({"id": alice.user.id.0}), "status.id is that of VouchUser"),
    ] {
        let mut mallory = declared("mallory@example.com", "2026-11-21T11:00:00Z", OLD);
        mallory["status"] = status;
        server.put(&path("mallory"), mallory);
        let email = "mallory@example.com".parse().unwrap();
        until(what, async || {
            matches!(store.user_by_email(&email).await, Err(StoreError::Corrupt { reason, .. }) if reason.contains(what))
        })
        .await;
        let owner = store.user_by_credential(&CredentialId("a2V5LW9uZQ".to_owned())).await.unwrap().unwrap();
        assert_eq!(owner.user.id, alice.user.id);
        assert_eq!(store.user(alice.user.id).await.unwrap().unwrap().user.email, alice.user.email);
        let everybody = store.users().await.unwrap();
        assert_eq!(everybody.people.len(), 1, "alice is listed all the same");
        assert!(matches!(everybody.damaged.as_slice(), [damaged] if damaged.reason.contains(what)), "{everybody:?}");
    }
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_told_by_the_half_of_it_and_without_positions() {
    let server = ApiServer::default();
    for (half, damage, reason) in [
        (
            "spec",
            json!({"email": "alice@example.com", "groups": 7}),
            "spec: invalid type: integer `7`, expected a sequence",
        ),
        ("status", json!({"keyCount": -1}), "status: invalid value: integer `-1`, expected u32"),
        ("status", json!({"id": "7"}), "status.id is `7`, which is no UUID"),
    ] {
        let mut alice = declared("alice@example.com", "2026-11-21T09:00:00Z", OLD);
        alice[half] = damage;
        server.put(&path("alice"), alice);
        let store = server.store().await;
        let error = store.user_by_email(&"alice@example.com".parse().unwrap()).await.unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt { reason: said, .. } if said == reason), "{error:?}");
    }
}

fn keys_enrolled_later(keys: &Value) -> Value {
    let mut keys = keys.clone();
    keys[0]["createdAt"] = json!("2027-01-01T00:00:00Z");
    keys
}

#[tokio::test]
async fn what_is_being_deleted_is_gone_at_once() {
    let server = ApiServer::default();
    let store = server.store().await;
    let alice = store.create(&person("alice")).await.unwrap();
    server.edit(&object_path(&alice.user), |object| {
        object["metadata"]["deletionTimestamp"] = json!("2026-11-21T12:00:00Z");
    });
    until("alice is gone", async || store.user(alice.user.id).await.unwrap().is_none()).await;
}

#[tokio::test]
async fn a_watch_that_comes_too_late_lists_again_and_misses_nothing() {
    let server = ApiServer::default();
    let store = server.store().await;
    let alice = store.create(&person("alice")).await.unwrap();
    let bob = store.create(&person("bob")).await.unwrap();
    server.fail(|_, path| (path == USERS).then_some(500));
    until("the watch has failed", async || store.fault().is_some()).await;
    server.delete(&object_path(&alice.user));
    server.edit(&object_path(&bob.user), |object| object["spec"]["disabled"] = json!(true));
    server.compact();
    server.heal();
    until("alice is gone", async || store.user(alice.user.id).await.unwrap().is_none()).await;
    assert!(store.user(bob.user.id).await.unwrap().unwrap().user.disabled);
}

#[tokio::test]
async fn reads_go_on_and_writes_are_refused_while_the_api_server_is_away() {
    let server = ApiServer::default();
    let store = server.store().await;
    let alice = store.create(&person("alice")).await.unwrap();
    server.fail(|_, _| Some(500));
    let next = UserRecord { used_challenges: Vec::new(), keys: vec![key("a2V5LW9uZQ")], ..alice.user.clone() };
    let refused = store.replace(&alice, &next).await.unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly(_)), "{refused}");
    let told = ApiError::from(refused);
    assert_eq!(told.code, ErrorCode::Unavailable);
    assert!(told.description.starts_with("Nobody can sign in"), "{told:?}");
    assert!(told.hint.unwrap().starts_with("Sessions that have begun go on."));
    assert!(store.user(alice.user.id).await.unwrap().is_some());
    store.health().await.unwrap();
    let unlisted = store.users().await.unwrap_err();
    assert!(matches!(unlisted, StoreError::Unavailable(_)), "nobody wanted to write: {unlisted}");
    server.heal();
    store.replace(&alice, &next).await.unwrap();
}

/// Makes a person, into whose object somebody else has written `status` before it is complete.
async fn make_after(server: &ApiServer, status: Value) -> (KubernetesStore, UserRecord, Result<Stored, StoreError>) {
    let (store, user) = (server.store().await, person("alice"));
    let object = object_path(&user);
    server.before(&format!("PATCH {object}/status"), move |server| {
        server.edit(&object, |object| object["status"] = status);
    });
    let made = store.create(&user).await;
    (store, user, made)
}

#[tokio::test]
async fn a_person_is_made_though_the_operator_judges_the_object_before_it_is_complete() {
    let server = ApiServer::default();
    let judgement = json!({"conditions": [{"type": "Ready"}], "observedGeneration": 1});
    let (store, alice, made) = make_after(&server, judgement).await;
    let made = made.unwrap();
    assert_eq!(made.user.id, alice.id);
    let object = server.get(&object_path(&alice)).unwrap();
    assert_eq!(object["status"]["conditions"][0]["type"], "Ready", "the operator's part stays");
    assert_eq!(store.user(alice.id).await.unwrap().unwrap().version, made.version);
}

#[tokio::test]
async fn whoever_has_written_a_record_to_a_new_object_was_faster() {
    let server = ApiServer::default();
    let record = json!({"id": OLD, "createdAt": "2026-11-21T09:00:00Z"});
    let (_store, alice, made) = make_after(&server, record).await;
    let refused = made.unwrap_err();
    assert!(matches!(refused, StoreError::Taken(_)), "{refused}");
    assert_eq!(server.get(&object_path(&alice)).unwrap()["status"]["id"], OLD, "theirs stays");
}

#[tokio::test]
async fn nobody_is_known_before_everybody_is() {
    let server = ApiServer::default();
    server.fail(|_, _| Some(403));
    let store = KubernetesStore::follow(&server.cluster(), &Scope::Everybody);
    let refused = store.user(UserId(OLD.parse().unwrap())).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "not the same as nobody: {refused}");
    assert!(store.health().await.is_err());
    server.heal();
    tokio::time::timeout(Duration::from_secs(30), store.synced()).await.unwrap();
    assert!(store.user(UserId(OLD.parse().unwrap())).await.unwrap().is_none());
}

#[tokio::test]
async fn a_store_of_one_person_asks_for_no_other() {
    let server = ApiServer::default();
    for name in ["alice", "bob"] {
        server.store().await.create(&person(name)).await.unwrap();
    }
    let alice = "alice@example.com".parse().unwrap();
    let store = server.scoped(&Scope::Person(alice)).await;
    assert!(store.user_by_email(&"alice@example.com".parse().unwrap()).await.unwrap().is_some());
    assert!(store.user_by_email(&"bob@example.com".parse().unwrap()).await.unwrap().is_none());
    assert_eq!(store.users().await.unwrap().people.len(), 2, "a list is of everybody");
}

#[tokio::test]
async fn an_object_that_has_the_name_of_another_person_is_named() {
    let server = ApiServer::default();
    let bob = declared("bob@example.com", "2026-11-21T09:00:00Z", OLD);
    server.put(&path(&user_object_name("alice@example.com")), bob);
    let error = server.store().await.create(&person("alice")).await.unwrap_err();
    let StoreError::ReadOnly(fault) = &error else { panic!("{error}") };
    assert!(fault.to_string().contains("is for another address"), "{fault}");
}
