//! Whole passes against an API server in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value
)]

mod configuration;
mod refused;

use std::sync::Arc;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use serde_json::{Value, json};
use tokio::sync::watch;
use vouch_crds::issuer::VouchIssuer;

use super::*;
use crate::{apply::OptionalApis, testing::ApiServer};

const ISSUER: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchissuers/login";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/vouch/deployments/login";
const SERVICE: &str = "/api/v1/namespaces/vouch/services/login";
const INGRESS: &str = "/apis/networking.k8s.io/v1/namespaces/vouch/ingresses/login";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/vouch/events";

/// An issuer in a cluster, and the operator.
struct World {
    server: ApiServer,
    context: Arc<Context>,
    apis: watch::Sender<OptionalApis>,
}

impl World {
    fn new() -> Self {
        let server = ApiServer::default();
        let apis = watch::Sender::default();
        let context = server.context(&apis, || Timestamp::from_second(1_700_000_000).unwrap());
        let world = Self { server, context, apis };
        world.declare(json!({}));
        world
    }

    fn declare(&self, changes: Value) {
        let mut object = self.server.get(ISSUER).unwrap_or_else(|| {
            json!({
                "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer",
                "metadata": {"name": "login", "namespace": "vouch", "uid": "u1", "creationTimestamp": "2026-01-02T00:00:00Z"},
                "spec": {
                    "url": "https://vouch.example.com",
                    "organization": {"name": "Example", "emailDomains": ["example.com"]},
                },
            })
        });
        let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
        object["metadata"]["generation"] = json!(generation + 1);
        for (name, value) in changes.as_object().unwrap() {
            object["spec"][name] = value.clone();
        }
        self.server.put(ISSUER, object);
    }

    async fn pass(&self) -> Result<Action, ReconcileError> {
        let issuer: VouchIssuer = serde_json::from_value(self.server.get(ISSUER).unwrap()).unwrap();
        reconcile(Arc::new(issuer), Arc::clone(&self.context)).await
    }

    /// What was written in one pass, events apart.
    async fn writes(&self) -> Vec<String> {
        self.server.calls();
        self.pass().await.unwrap();
        self.server.writes().into_iter().filter(|write| !write.contains(EVENTS)).collect()
    }

    /// The pods of the Deployment come up.
    fn pods_serve(&self, count: i64) {
        let mut deployment = self.server.get(DEPLOYMENT).unwrap();
        deployment["status"] = json!({
            "replicas": count, "updatedReplicas": count, "availableReplicas": count,
            "conditions": [
                {"type": "Available", "status": "True"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            ],
        });
        self.server.put(DEPLOYMENT, deployment);
    }

    /// `status reason message` of a condition.
    fn condition(&self, kind: &str) -> String {
        let status = self.server.get(ISSUER).unwrap()["status"].clone();
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|condition| condition["type"] == kind);
        found.map_or_else(String::new, |c| {
            format!(
                "{} {} {}",
                c["status"].as_str().unwrap(),
                c["reason"].as_str().unwrap(),
                c["message"].as_str().unwrap()
            )
        })
    }

    /// What a watch would tell of.
    fn versions(&self) -> Vec<(String, Value)> {
        let version =
            |path: String| (path.clone(), self.server.get(&path).unwrap()["metadata"]["resourceVersion"].clone());
        self.server.paths().into_iter().map(version).collect()
    }

    fn events(&self) -> Vec<String> {
        let paths = self.server.paths().into_iter().filter(|path| path.starts_with(EVENTS));
        let reasons = paths.map(|path| self.server.get(&path).unwrap()["reason"].as_str().unwrap().to_owned());
        let mut reasons: Vec<String> = reasons.collect();
        reasons.sort();
        reasons
    }
}

#[tokio::test]
async fn a_first_pass_makes_everything_and_the_second_nothing() {
    let world = World::new();
    let written = world.writes().await;
    assert!(written.contains(&format!("PATCH {DEPLOYMENT}")) && written.contains(&format!("PATCH {SERVICE}")));
    assert_eq!(world.condition("Ready"), "False RollingOut 0 of 3 pods serve.");
    assert_eq!(world.writes().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_issuer_is_ready_when_its_pods_serve() {
    let world = World::new();
    world.pass().await.unwrap();
    world.pods_serve(3);
    assert_eq!(world.writes().await, [format!("PATCH {ISSUER}/status")]);
    assert_eq!(world.condition("Ready"), "True AsDeclared Everything is as declared.");
    assert_eq!(world.condition("Available"), "True AsDeclared 3 of 3 pods serve.");
    assert_eq!(world.server.get(ISSUER).unwrap()["status"]["replicas"], "3/3");
    assert_eq!(world.events(), ["Applied", "AsDeclared", "KeysCreated", "RollingOut"]);
    assert_eq!(world.writes().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_hand_changes_in_an_owned_object_is_put_back() {
    let world = World::new();
    world.pass().await.unwrap();
    world.server.edit(SERVICE, "/spec/type", Some(json!("NodePort")));
    assert_eq!(world.writes().await, [format!("PATCH {SERVICE}")]);
    assert_eq!(world.server.get(SERVICE).unwrap()["spec"]["type"], "ClusterIP");
    world.server.edit(SERVICE, "/spec/ports", None);
    assert_eq!(world.writes().await, [format!("PATCH {SERVICE}")]);
    assert_eq!(world.server.get(SERVICE).unwrap()["spec"]["ports"][0]["port"], 80);
}

#[tokio::test]
async fn what_others_add_to_an_owned_object_stays() {
    let world = World::new();
    world.pass().await.unwrap();
    let mut service = world.server.get(SERVICE).unwrap();
    service["metadata"]["annotations"]["mesh.example.com/inject"] = json!("true");
    service["spec"]["clusterIP"] = json!("10.0.0.7");
    world.server.put(SERVICE, service);
    assert_eq!(world.writes().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_deleted_object_is_made_again() {
    let world = World::new();
    world.pass().await.unwrap();
    let held = world.context.held.client();
    let api: kube::Api<Deployment> = kube::Api::namespaced(held, "vouch");
    api.delete("login", &kube::api::DeleteParams::default()).await.unwrap();
    assert!(world.writes().await.contains(&format!("PATCH {DEPLOYMENT}")));
}

#[tokio::test]
async fn an_object_that_is_not_wanted_any_more_is_removed() {
    let world = World::new();
    world.declare(json!({"exposure": {"ingress": {}}}));
    world.pass().await.unwrap();
    assert!(world.server.get(INGRESS).is_some());
    world.declare(json!({"exposure": {}}));
    assert!(world.writes().await.contains(&format!("DELETE {INGRESS}")));
    assert!(world.server.get(INGRESS).is_none());
}

#[tokio::test]
async fn a_foreign_object_is_left_alone_and_named() {
    let world = World::new();
    let foreign = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "login", "namespace": "vouch"}, "spec": {"x": 1}});
    world.server.put(SERVICE, foreign);
    let before = world.server.get(SERVICE);
    let written = world.writes().await;
    assert!(!written.iter().any(|write| write.ends_with(SERVICE)), "{written:?}");
    assert_eq!(world.server.get(SERVICE), before);
    assert_eq!(
        world.condition("Ready"),
        "False ForeignObject Service login exists and does not belong to this VouchIssuer; nothing of it was changed"
    );
    assert!(written.contains(&format!("PATCH {DEPLOYMENT}")), "the rest is done");
}

#[tokio::test]
async fn a_foreign_object_that_comes_into_being_while_we_look_is_not_overwritten() {
    let world = World::new();
    let server = world.server.clone();
    world.server.fail(move |call| (call.method == "PATCH" && call.path == SERVICE).then_some(409));
    assert!(world.pass().await.is_err());
    assert!(server.get(SERVICE).is_none());
    assert!(world.condition("Ready").starts_with("False ForeignObject Service login exists"));
    let creation = server.calls().into_iter().find(|call| call.method == "PATCH" && call.path == SERVICE).unwrap();
    assert!(!creation.query.contains("force=true"), "{creation:?}");
}

#[tokio::test]
async fn the_objects_of_an_earlier_issuer_of_that_name_are_waited_for() {
    let world = World::new();
    world.pass().await.unwrap();
    let mut issuer = world.server.get(ISSUER).unwrap();
    issuer["metadata"]["uid"] = json!("u2");
    world.server.put(ISSUER, issuer);
    assert_eq!(world.writes().await, [format!("PATCH {ISSUER}/status")]);
    assert!(world.condition("Ready").contains("belongs to an earlier VouchIssuer"), "{}", world.condition("Ready"));
}

#[tokio::test]
async fn the_younger_of_two_issuers_in_a_namespace_is_refused() {
    let world = World::new();
    let mut older = world.server.get(ISSUER).unwrap();
    older["metadata"]["name"] = json!("first");
    older["metadata"]["uid"] = json!("u0");
    older["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    world.server.put(&ISSUER.replace("login", "first"), older.clone());
    assert_eq!(world.writes().await, [format!("PATCH {ISSUER}/status")]);
    assert!(world.condition("Ready").starts_with("False NamespaceTaken VouchIssuer first is older"));
    older["metadata"]["deletionTimestamp"] = json!("2026-01-03T00:00:00Z");
    world.server.put(&ISSUER.replace("login", "first"), older);
    assert!(world.writes().await.contains(&format!("PATCH {DEPLOYMENT}")));
}

#[tokio::test]
async fn a_paused_issuer_is_left_as_it_is() {
    let world = World::new();
    world.pass().await.unwrap();
    world.pods_serve(3);
    world.pass().await.unwrap();
    world.declare(json!({"paused": true, "deployment": {"replicas": 9}}));
    assert_eq!(world.writes().await, [format!("PATCH {ISSUER}/status")]);
    assert!(world.condition("Paused").starts_with("True Paused"));
    assert!(world.condition("Ready").starts_with("True AsDeclared"));
    assert_eq!(world.writes().await, Vec::<String>::new());
    world.declare(json!({"paused": false}));
    assert!(world.writes().await.contains(&format!("PATCH {DEPLOYMENT}")));
    assert!(world.condition("Paused").starts_with("False Running"));
}

#[tokio::test]
async fn an_issuer_that_is_being_deleted_is_left_to_the_api_server() {
    let world = World::new();
    let mut issuer = world.server.get(ISSUER).unwrap();
    issuer["metadata"]["deletionTimestamp"] = json!("2026-01-03T00:00:00Z");
    world.server.put(ISSUER, issuer);
    assert_eq!(world.writes().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_api_that_is_missing_is_named_and_used_when_it_appears() {
    let world = World::new();
    world.declare(json!({"exposure": {"gateway": {"name": "edge"}}}));
    world.pass().await.unwrap();
    assert_eq!(
        world.condition("Ready"),
        "False ApiMissing spec.exposure.gateway needs the Gateway API: the cluster serves no HTTPRoute."
    );
    world.server.serve("gateway.networking.k8s.io/v1", &["HTTPRoute"]);
    world.server.serve("monitoring.coreos.com/v1", &["ServiceMonitor"]);
    let now = crate::apply::optional::discover(&world.context.reader, &OptionalApis::default()).await;
    assert_eq!(now, OptionalApis::of([Kind::HttpRoute, Kind::ServiceMonitor]));
    world.apis.send_replace(now);
    let written = world.writes().await;
    assert!(written.iter().any(|write| write.ends_with("/httproutes/login")), "{written:?}");
    assert!(written.iter().any(|write| write.ends_with("/servicemonitors/login")), "{written:?}");
}

#[tokio::test]
async fn an_api_server_that_does_not_answer_has_not_lost_its_apis() {
    let world = World::new();
    world.server.fail(|_| Some(503));
    let before = OptionalApis::of([Kind::Certificate]);
    assert_eq!(crate::apply::optional::discover(&world.context.reader, &before).await, before);
}

#[tokio::test]
async fn a_write_that_is_refused_is_told_and_the_others_are_done() {
    let world = World::new();
    world.server.fail(|call| (call.method == "PATCH" && call.path == SERVICE).then_some(403));
    let error = world.pass().await.unwrap_err();
    assert_eq!(error.category(), Category::Transient);
    assert_eq!(world.condition("Ready"), "False NotApplied could not create Service login: the test says so");
    assert!(world.server.get(DEPLOYMENT).is_some());
}

#[tokio::test]
async fn a_pass_that_cannot_read_every_object_writes_none_and_says_so() {
    let world = World::new();
    world.pass().await.unwrap();
    world.pods_serve(3);
    world.pass().await.unwrap();
    world.declare(json!({"deployment": {"replicas": 5}}));
    world.server.fail(|call| (call.method == "GET" && call.path == SERVICE).then_some(500));
    world.server.calls();
    assert!(world.pass().await.is_err());
    let writes: Vec<String> = world.server.writes().into_iter().filter(|write| !write.contains(EVENTS)).collect();
    assert_eq!(writes, [format!("PATCH {ISSUER}/status")]);
    assert_eq!(world.condition("Ready"), "Unknown NotApplied could not read Service login: the test says so");
}

#[tokio::test]
async fn a_pass_that_is_cut_short_takes_back_nothing_that_was_said() {
    let world = World::new();
    world.pass().await.unwrap();
    world.pods_serve(3);
    world.pass().await.unwrap();
    let before = world.condition("Ready");
    let observed = || world.server.get(ISSUER).unwrap()["status"]["observedGeneration"].clone();
    let said_of = observed();
    world.declare(json!({"session": {"lifetime": "4h"}}));
    world.server.fail(|call| (call.method == "GET" && call.path == SERVICE).then_some(429));
    assert!(world.pass().await.is_err());
    assert_eq!(world.condition("Ready"), before);
    assert_eq!(observed(), said_of, "nothing was said of the declaration as it is now");
    world.server.fail(|_| None);
    world.pass().await.unwrap();
    assert_ne!(observed(), said_of);
}

#[tokio::test]
async fn the_number_of_pods_stays_when_an_autoscaler_takes_over() {
    let world = World::new();
    world.declare(json!({"deployment": {"replicas": 5}}));
    world.pass().await.unwrap();
    world.declare(json!({"deployment": {"autoscaling": {"minReplicas": 2, "maxReplicas": 9}}}));
    world.server.calls();
    world.pass().await.unwrap();
    let calls = world.server.calls();
    let patches: Vec<&str> =
        calls.iter().filter(|c| c.method == "PATCH" && c.path == DEPLOYMENT).map(|c| c.query.as_str()).collect();
    assert_eq!(patches.len(), 2, "{patches:?}");
    assert!(patches[0].contains("fieldManager=vouch-operator-handover"), "somebody owns the number before we let go");
    assert!(patches[1].contains("fieldManager=vouch-operator&") || patches[1].ends_with("fieldManager=vouch-operator"));
    assert_eq!(world.server.get(DEPLOYMENT).unwrap()["spec"]["replicas"], 5);
    let mut deployment = world.server.get(DEPLOYMENT).unwrap();
    deployment["spec"]["replicas"] = json!(7);
    world.server.put(DEPLOYMENT, deployment);
    let written = world.writes().await;
    assert!(!written.contains(&format!("PATCH {DEPLOYMENT}")), "{written:?}");
}

#[tokio::test]
async fn a_status_that_was_changed_meanwhile_is_not_overwritten() {
    let world = World::new();
    let issuer: VouchIssuer = serde_json::from_value(world.server.get(ISSUER).unwrap()).unwrap();
    world.declare(json!({"session": {"lifetime": "4h"}}));
    let error = reconcile(Arc::new(issuer), Arc::clone(&world.context)).await.unwrap_err();
    assert_eq!(error.category(), Category::Conflict);
}

fn refusal(name: &str, declared: Value) -> String {
    let mut world: Value = json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer", "metadata": {"name": "login"},
        "spec": {"url": "https://vouch.example.com", "organization": {"name": "E", "emailDomains": ["example.com"]}},
    });
    world["spec"][name] = declared;
    let issuer: VouchIssuer = serde_json::from_value(world).unwrap();
    let refusal = validate::validate(&issuer, &[], "image").unwrap_err();
    assert_eq!(refusal.reason, Reason::Invalid);
    refusal.message
}

#[test]
fn labels_of_the_operator_cannot_be_declared() {
    let message = refusal("deployment", json!({"labels": {"app.kubernetes.io/instance": "other"}}));
    assert!(message.contains("app.kubernetes.io/instance is set by the operator"), "{message}");
}

#[test]
fn no_configuration_of_a_shared_ingress_controller_is_written_through_the_operator() {
    for key in [
        "nginx.ingress.kubernetes.io/configuration-snippet",
        "nginx.org/location-snippets",
        "haproxy-ingress.github.io/config-backend",
    ] {
        for part in ["ingress", "service"] {
            let message = refusal("exposure", json!({part: {"annotations": {key: "access_log off;"}}}));
            assert!(
                message.starts_with(&format!("spec.exposure.{part}.annotations: {key} puts text into")),
                "{message}"
            );
        }
    }
}
