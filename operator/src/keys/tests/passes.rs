//! Whole passes over an issuer against an API server in memory, and crashes at every request of them.
use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tokio::sync::watch;

use super::*;
use crate::{
    context::Context,
    failure::Category,
    issuer::{ReconcileError, reconcile},
    testing::{ApiServer, Call},
};

pub(super) const ISSUER: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchissuers/login";
pub(super) const KEYS: &str = "/api/v1/namespaces/vouch/secrets/login-signing-keys";
pub(super) const ROOT: &str = "/api/v1/namespaces/vouch/secrets/login-root-secret";
pub(super) const SECRETS: &str = "/api/v1/namespaces/vouch/secrets";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/vouch/events";

thread_local! {
    pub(super) static NOW: Cell<i64> = const { Cell::new(0) };
}

pub(super) struct World {
    pub(super) server: ApiServer,
    pub(super) context: Arc<Context>,
}

impl World {
    pub(super) fn new() -> Self {
        NOW.set(0);
        let server = ApiServer::default();
        let context = server.context(&watch::Sender::default(), || at(NOW.get()));
        server.put(ISSUER, serde_json::to_value(issuer()).unwrap());
        Self { server, context }
    }

    pub(super) async fn made() -> Self {
        let world = Self::new();
        world.pass().await.unwrap();
        world.pass().await.unwrap();
        world.server.calls();
        world
    }

    pub(super) async fn pass(&self) -> Result<kube::runtime::controller::Action, ReconcileError> {
        let issuer: VouchIssuer = serde_json::from_value(self.server.get(ISSUER).unwrap()).unwrap();
        reconcile(Arc::new(issuer), Arc::clone(&self.context)).await
    }

    /// Writes of one pass to Secrets and to the issuer.
    pub(super) async fn writes(&self) -> Vec<String> {
        self.server.calls();
        self.pass().await.unwrap();
        self.server.writes().into_iter().filter(|write| write.contains(SECRETS) || write.contains(ISSUER)).collect()
    }

    pub(super) fn set(&self) -> KeySet {
        set_of(&self.server.get(KEYS).unwrap())
    }

    pub(super) fn order(&self, name: &str, value: &str) {
        let mut issuer = self.server.get(ISSUER).unwrap();
        issuer["metadata"]["annotations"][name] = json!(value);
        self.server.put(ISSUER, issuer);
    }

    pub(super) fn status(&self) -> Value {
        self.server.get(ISSUER).unwrap()["status"].clone()
    }

    /// `status reason` of a condition.
    pub(super) fn condition(&self, kind: &str) -> String {
        let conditions = self.status()["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|condition| condition["type"] == kind).unwrap();
        format!("{} {}", found["status"].as_str().unwrap(), found["reason"].as_str().unwrap())
    }

    fn keys_ready(&self) -> String {
        self.condition("KeysReady")
    }

    fn keys_message(&self) -> String {
        let conditions = self.status()["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|condition| condition["type"] == "KeysReady").unwrap();
        found["message"].as_str().unwrap().to_owned()
    }

    fn events(&self) -> Vec<String> {
        let paths = self.server.paths().into_iter().filter(|path| path.starts_with(EVENTS));
        paths.map(|path| self.server.get(&path).unwrap()["reason"].as_str().unwrap().to_owned()).collect()
    }

    async fn delete(&self, name: &str) {
        let api: kube::Api<Secret> = kube::Api::namespaced(self.server.client(), "vouch");
        api.delete(name, &kube::api::DeleteParams::default()).await.unwrap();
    }

    /// What everything has come to, without what differs from run to run.
    fn shape(&self) -> Value {
        let keys = self.server.get(KEYS).unwrap();
        let status = self.status();
        let states: Vec<Value> = status["keys"].as_array().unwrap().iter().map(|key| key["state"].clone()).collect();
        let set = self.set();
        let published: Vec<_> = set.keys().iter().map(|key| key.state().name()).collect();
        let mut annotations = keys["metadata"]["annotations"].to_string();
        for key in status["keys"].as_array().unwrap() {
            annotations = annotations.replace(key["kid"].as_str().unwrap(), "a key");
        }
        json!({
            "paths": self.server.paths().into_iter().filter(|path| !path.starts_with(EVENTS)).collect::<Vec<_>>(),
            "annotations": annotations,
            "states": states, "published": published, "revoked": set.revoked().len(),
            "initialized": status["keysInitializedAt"], "next": status["nextRotation"],
            "active": status["activeKey"] == json!(active(&set).map(|kid| kid.to_string())),
            "ready": self.keys_ready(),
        })
    }
}

fn set_of(secret: &Value) -> KeySet {
    KeySet::from_json(STANDARD.decode(secret["data"]["keys.json"].as_str().unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_first_pass_makes_both_secrets_and_then_reports_them() {
    let world = World::new();
    let issuer = format!("PATCH {ISSUER}/status");
    let secrets = format!("POST {SECRETS}");
    assert_eq!(world.writes().await, [secrets.clone(), secrets, issuer]);
    assert_eq!(world.keys_ready(), "True AsDeclared");
    assert_eq!(world.status()["keysInitializedAt"], at(0).to_string());
    assert!(world.events().contains(&"KeysCreated".to_owned()), "{:?}", world.events());
    let root = world.server.get(ROOT).unwrap();
    assert_eq!(STANDARD.decode(root["data"]["root"].as_str().unwrap()).unwrap().len(), 32);
    assert!(world.server.get(KEYS).unwrap()["metadata"]["ownerReferences"].is_null());
}

#[tokio::test]
async fn nothing_is_written_while_nothing_is_due() {
    let world = World::made().await;
    for hour in 1..23 {
        NOW.set(hour * 3600);
        assert_eq!(world.writes().await, Vec::<String>::new(), "{hour}");
    }
}

#[tokio::test]
async fn keys_are_written_before_they_are_reported() {
    let world = World::made().await;
    NOW.set(PERIOD);
    assert_eq!(world.writes().await, [format!("PUT {KEYS}"), format!("PATCH {ISSUER}/status")]);
    let metrics = world.context.metrics.render().unwrap();
    assert!(
        metrics.contains(r#"signing_key_changes_total{namespace="vouch",issuer="login",change="KeyActivated"} 2"#),
        "{metrics}"
    );
    assert!(metrics.contains(r#"issuer="login",algorithm="ES256",state="Retired"} 1"#), "{metrics}");
    assert_eq!(world.events().iter().filter(|reason| *reason == "KeyActivated").count(), 1);
}

#[tokio::test]
async fn whoever_gave_an_order_reads_in_the_status_that_it_was_carried_out() {
    let world = World::made().await;
    assert!(world.status()["handledOrders"].is_null());
    world.order(annotation::ROTATE_KEYS, "1");
    world.pass().await.unwrap();
    assert_eq!(world.status()["handledOrders"], json!({annotation::ROTATE_KEYS: "1"}));
    world.delete("login-signing-keys").await;
    world.pass().await.unwrap();
    assert_eq!(world.status()["handledOrders"], json!({annotation::ROTATE_KEYS: "1"}));
}

#[tokio::test]
async fn the_next_pass_is_at_the_next_transition() {
    let world = World::made().await;
    NOW.set(PERIOD - 7);
    let action = world.pass().await.unwrap();
    assert_eq!(action, kube::runtime::controller::Action::requeue(seconds(7)));
}

#[tokio::test]
async fn somebody_who_was_faster_is_no_failure() {
    let world = World::made().await;
    NOW.set(PERIOD);
    let calls = AtomicUsize::new(0);
    world.server.fail(move |call| (call.method == "PUT" && calls.fetch_add(1, Ordering::SeqCst) == 0).then_some(409));
    world.server.calls();
    world.pass().await.unwrap();
    let calls = world.server.calls();
    assert_eq!(calls.iter().filter(|call| call.method == "PUT").count(), 2);
    assert_eq!(calls.iter().filter(|call| call.method == "GET" && call.path == KEYS).count(), 2, "it is read again");
    assert_eq!(world.keys_ready(), "True AsDeclared");
}

#[tokio::test]
async fn a_secret_that_is_written_all_the_time_is_given_up_for_a_while() {
    let world = World::made().await;
    NOW.set(PERIOD);
    world.server.fail(|call| (call.method == "PUT").then_some(409));
    assert_eq!(world.pass().await.unwrap_err().category(), Category::Conflict);
}

#[tokio::test]
async fn what_a_stale_watch_shows_makes_no_keys() {
    let world = World::new();
    let stale: VouchIssuer = serde_json::from_value(world.server.get(ISSUER).unwrap()).unwrap();
    world.pass().await.unwrap();
    world.delete("login-signing-keys").await;
    world.server.calls();
    let error = reconcile(Arc::new(stale), Arc::clone(&world.context)).await.unwrap_err();
    assert_eq!(error.category(), Category::Conflict, "its status is old, too");
    assert!(world.server.get(KEYS).is_none());
    world.pass().await.unwrap();
    assert_eq!(world.keys_ready(), "False KeySecretMissing");
}

#[tokio::test]
async fn an_issuer_that_was_paused_meanwhile_is_left_alone() {
    let world = World::made().await;
    NOW.set(PERIOD);
    let stale: VouchIssuer = serde_json::from_value(world.server.get(ISSUER).unwrap()).unwrap();
    let mut paused = world.server.get(ISSUER).unwrap();
    paused["spec"]["paused"] = json!(true);
    world.server.put(ISSUER, paused);
    assert_eq!(
        reconcile(Arc::new(stale), Arc::clone(&world.context)).await.unwrap_err().category(),
        Category::Conflict
    );
    assert!(!world.server.writes().iter().any(|write| write.contains(SECRETS)));
}

#[tokio::test]
async fn a_deleted_secret_is_reported_once_and_pods_are_still_looked_after() {
    let world = World::made().await;
    world.delete("login-signing-keys").await;
    assert_eq!(world.writes().await, [format!("PATCH {ISSUER}/status")]);
    assert_eq!(world.keys_ready(), "False KeySecretMissing");
    assert!(world.events().contains(&"KeySecretMissing".to_owned()));
    assert_eq!(world.status()["keys"].as_array().unwrap().len(), 2, "what was known stays");
    assert_eq!(world.writes().await, Vec::<String>::new());
    let made = world.status()["keysInitializedAt"].as_str().unwrap().to_owned();
    world.order(annotation::RECREATE_KEYS, &made);
    NOW.set(60);
    world.pass().await.unwrap();
    assert_eq!(world.keys_ready(), "True AsDeclared");
    assert!(world.events().contains(&"KeysRecreated".to_owned()));
    assert_eq!(world.writes().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_issuer_made_anew_under_another_url_is_told_of_both_secrets_at_once() {
    let world = World::made().await;
    let mut anew = serde_json::to_value(issuer()).unwrap();
    anew["spec"]["url"] = json!("https://new.example.com");
    world.server.put(ISSUER, anew);
    world.pass().await.unwrap();
    assert_eq!(world.keys_ready(), "False ForeignKeys");
    let belongs = |secret: &str| format!("Secret {secret} belongs to the issuer {URL}, ");
    let (keys, root) = (belongs("login-signing-keys"), belongs("login-root-secret"));
    let message = world.keys_message();
    assert!(
        message.starts_with(&format!("{keys}{root}and this VouchIssuer is https://new.example.com: ")),
        "{message}"
    );
    assert!(message.contains(" Move both away, or delete both, if their keys are not needed; "), "{message}");

    world.server.remove(KEYS);
    world.pass().await.unwrap();
    let message = world.keys_message();
    assert!(message.starts_with(&format!("{root}and this ")) && message.contains(" Move it away, "), "{message}");
    world.server.remove(ROOT);
    world.pass().await.unwrap();
    assert_eq!(world.keys_ready(), "True AsDeclared");
}

#[tokio::test]
async fn a_root_secret_that_is_gone_is_made_again_and_told() {
    let world = World::made().await;
    world.delete("login-root-secret").await;
    assert_eq!(world.writes().await, [format!("POST {SECRETS}")]);
    assert!(world.events().contains(&"RootSecretReplaced".to_owned()));
}

#[tokio::test]
async fn a_cluster_that_forbids_secrets_is_named_and_the_rest_is_done() {
    let world = World::new();
    world.server.fail(|call| call.path.starts_with(SECRETS).then_some(403));
    assert_eq!(world.pass().await.unwrap_err().category(), Category::Transient);
    assert_eq!(world.keys_ready(), "Unknown NotApplied");
    assert!(world.server.get("/apis/apps/v1/namespaces/vouch/deployments/login").is_some());
}

#[tokio::test]
async fn secrets_are_found_by_their_labels() {
    let world = World::made().await;
    for path in [KEYS, ROOT] {
        let object: kube::core::PartialObjectMeta<Secret> =
            serde_json::from_value(world.server.get(path).unwrap()).unwrap();
        let found = crate::keys::issuer_of(&object).unwrap();
        assert_eq!((found.name.as_str(), found.namespace.as_deref()), ("login", Some("vouch")));
    }
}

/// What is done to a world before the pass that crashes.
type Prepare = fn(&World);

async fn prepared(prepare: Option<Prepare>) -> World {
    match prepare {
        None => World::new(),
        Some(prepare) => {
            let world = World::made().await;
            prepare(&world);
            world
        }
    }
}

/// Ends the process before or after each request of a pass, one after another, and lets the next one go on.
async fn converges_from_every_crash(prepare: Option<Prepare>) {
    let straight = prepared(prepare).await;
    straight.server.calls();
    straight.pass().await.unwrap();
    let calls = straight.server.calls().len();
    straight.pass().await.unwrap();
    let goal = straight.shape();
    assert!(calls > 12, "{calls}");
    for crash in 0..calls {
        for done in [false, true] {
            let world = prepared(prepare).await;
            let dead = |from: usize| {
                let count = AtomicUsize::new(0);
                move |_: &Call| (count.fetch_add(1, Ordering::SeqCst) >= from).then_some(500)
            };
            world.server.fail(dead(crash + usize::from(done)));
            world.server.lose(dead(crash));
            let crashed = world.pass().await;
            world.server.recover();
            if let Some(secret) = world.server.get(KEYS) {
                assert!(!set_of(&secret).jwks().body().is_empty());
            }
            for _ in 0..3 {
                world.pass().await.unwrap();
            }
            assert_eq!(world.shape(), goal, "after a crash at request {crash} (done: {done}): {crashed:?}");
            world.server.calls();
            world.pass().await.unwrap();
            assert_eq!(world.server.writes(), Vec::<String>::new(), "request {crash} (done: {done})");
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_request_of_a_first_pass_ends_where_no_crash_does() {
    converges_from_every_crash(None).await;
}

#[tokio::test]
async fn a_crash_at_any_request_of_a_rotation_ends_where_no_crash_does() {
    converges_from_every_crash(Some(|_| NOW.set(PERIOD))).await;
}

#[tokio::test]
async fn a_crash_at_any_request_of_a_revocation_ends_where_no_crash_does() {
    converges_from_every_crash(Some(|world| {
        let active = world.status()["activeKey"].as_str().unwrap().to_owned();
        world.order(annotation::REVOKE_KEY, &active);
        world.order(annotation::ROTATE_KEYS, "1");
        NOW.set(LEAD);
    }))
    .await;
}
