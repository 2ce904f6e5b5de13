//! Objects of an issuer that hands have changed, on a real API server with the unmodified operator: what it alone can judge
//! is which writes it takes, and who manages which field afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails here fails the test"
)]

use std::{process::Stdio, time::Duration};

use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    apps::v1::Deployment,
    core::v1::{ResourceQuota, Service},
};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams, PostParams},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::Instant,
};
use vouch_control_plane::{ControlPlane, PATIENCE, client};
use vouch_crds::issuer::VouchIssuer;

const NAMESPACE: &str = "default";
const PAUSE: Duration = Duration::from_millis(200);

fn operator(control_plane: &ControlPlane) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vouch-operator"));
    command.args(["--namespaces", NAMESPACE, "--image=vouch-issuer:1"]);
    command.args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]).env("KUBECONFIG", control_plane.kubeconfig());
    command.envs([("POD_NAME", "operator-0"), ("POD_UID", "operator-0"), ("POD_NAMESPACE", NAMESPACE)]);
    command.current_dir(control_plane.cluster().folder()).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap()
}

struct World(Client);

impl World {
    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.0.clone(), NAMESPACE)
    }

    async fn create<K>(&self, api: Api<K>, object: Value)
    where
        K: Clone + Serialize + DeserializeOwned + std::fmt::Debug,
    {
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }

    /// The object of that name, once it is so.
    async fn until<K>(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Serialize
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = serde_json::to_value(self.api::<K>().get_opt(name).await.unwrap()).unwrap();
            if is_so(&found) {
                return found;
            }
            assert!(Instant::now() < deadline, "it never comes so: {found:#}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What a hand does with `kubectl edit`.
    async fn edit<K>(&self, change: Value, dry_run: bool) -> Result<K, kube::Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let parameters =
            PatchParams { dry_run, field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
        self.api::<K>().patch("vouch", &parameters, &Patch::Merge(change)).await
    }

    /// A rule that compares an object with what it was: it has nothing to say of a new one.
    async fn refuse_annotations_of_running_pods(&self) {
        let policy = json!({
            "metadata": {"name": "no-annotations"},
            "spec": {
                "matchConstraints": {"resourceRules": [
                    {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]},
                ]},
                "validations": [{
                    "expression": "has(object.spec.template.metadata.annotations) == \
                        has(oldObject.spec.template.metadata.annotations)",
                    "message": "pods have the annotations that they had",
                }],
            },
        });
        let binding = json!({
            "metadata": {"name": "no-annotations"},
            "spec": {"policyName": "no-annotations", "validationActions": ["Deny"]},
        });
        self.create(Api::<ValidatingAdmissionPolicy>::all(self.0.clone()), policy).await;
        self.create(Api::<ValidatingAdmissionPolicyBinding>::all(self.0.clone()), binding).await;
        let deadline = Instant::now() + PATIENCE;
        let annotated = json!({"spec": {"template": {"metadata": {"annotations": {"team": "identity"}}}}});
        while self.edit::<Deployment>(annotated.clone(), true).await.is_ok() {
            assert!(Instant::now() < deadline, "the policy does not come into force");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn managers(object: &Value) -> Vec<&str> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap().iter();
    entries.filter(|entry| entry["subresource"].is_null()).map(|entry| entry["manager"].as_str().unwrap()).collect()
}

fn ready(issuer: &Value) -> Option<&Value> {
    issuer["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == "Ready")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hands_have_changed_is_put_back_and_what_is_refused_changes_nothing() {
    let control_plane = ControlPlane::start();
    control_plane.install_definitions();
    let world = World(client(control_plane.kubeconfig()).await);
    let declaration = json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer", "metadata": {"name": "vouch"},
        "spec": {
            "url": "https://vouch.example.com",
            "organization": {"name": "Example", "emailDomains": ["example.com"]},
        },
    });
    world.create(world.api::<VouchIssuer>(), declaration).await;
    let _operator = operator(&control_plane);
    let made = world.until::<Service>("vouch", |service| !service.is_null()).await;
    world.until::<Deployment>("vouch", |deployment| !deployment.is_null()).await;

    // No further Service can be made, and a port of the name of ours is in its place.
    let quota = json!({"metadata": {"name": "services"}, "spec": {"hard": {"services": "0"}}});
    world.create(world.api::<ResourceQuota>(), quota).await;
    world.until::<ResourceQuota>("services", |quota| quota["status"]["used"]["services"].is_string()).await;
    let mut ports = made["spec"]["ports"].clone();
    let ours = ports[0]["port"].as_i64().unwrap();
    ports[0]["port"] = json!(ours + 1);
    world.edit::<Service>(json!({"spec": {"ports": ports}}), false).await.unwrap();
    let is_repaired =
        |service: &Value| service["spec"]["ports"][0]["port"] == ours && managers(service) == ["vouch-operator"];
    let repaired = world.until::<Service>("vouch", is_repaired).await;
    assert_eq!(repaired["spec"], made["spec"]);

    // An update is refused that a new object would not be.
    world.refuse_annotations_of_running_pods().await;
    let before = world.until::<Deployment>("vouch", |_| true).await;
    let change = json!({"spec": {"deployment": {"annotations": {"team": "identity"}, "log": "debug"}}});
    world.edit::<VouchIssuer>(change, false).await.unwrap();
    let issuer = world
        .until::<VouchIssuer>("vouch", |issuer| ready(issuer).is_some_and(|ready| ready["reason"] == "Invalid"))
        .await;
    let message = ready(&issuer).unwrap()["message"].as_str().unwrap();
    assert!(message.contains("pods have the annotations that they had"), "{message}");
    let after = world.until::<Deployment>("vouch", |_| true).await;
    assert_eq!((&after["spec"], managers(&after)), (&before["spec"], managers(&before)));
}
