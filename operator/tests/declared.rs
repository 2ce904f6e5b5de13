//! What the definition of `VouchIssuer` accepts, against what Kubernetes accepts, on a real API server: nothing that people
//! may declare becomes an object that is refused, or one that the operator would write again and again.
//!
//! Every text below `spec.deployment` and `spec.exposure` is replaced by each of many values that are right in one place and
//! nonsense in another. What the API server then takes of the `VouchIssuer`, it must take of everything made for it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails here fails the test"
)]

use futures::{StreamExt as _, stream};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
    core::DynamicObject,
};
use serde_json::{Value, json};
use vouch_control_plane::{ControlPlane, client};
use vouch_crds::{issuer::VouchIssuer, names};
use vouch_operator::{
    apply::{Desired, OptionalApis, ownership::is_as_applied},
    issuer::{build::build, validate::validate},
};

const SIDE_BY_SIDE: usize = 8;

/// Everything that makes an object of a kind that every cluster has.
fn declaration() -> Value {
    json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer",
        "metadata": {"name": "vouch", "namespace": "default"},
        "spec": {
            "url": "https://vouch.example.com/a",
            "organization": {"name": "Example", "emailDomains": ["example.com"]},
            "deployment": {
                "resources": {"requests": {}, "limits": {}},
                "labels": {"team": "identity"}, "annotations": {"team": "identity"}, "nodeSelector": {"disk": "ssd"},
                "tolerations": [{"key": "dedicated"}], "topologySpread": {"keys": ["rack"]}, "imagePullSecrets": ["pull"],
            },
            "exposure": {
                "tls": {"secretName": "tls"}, "ingress": {"annotations": {"team": "identity"}},
                "service": {"type": "LoadBalancer", "annotations": {"team": "identity"}},
                "networkPolicy": {"metricsNamespaces": ["monitoring"]},
            },
        },
    })
}

/// Texts of which each is right somewhere, and whole numbers.
fn values() -> Vec<Value> {
    texts().into_iter().map(Value::from).chain([-1, 0, 1, 1_073_741_824, i64::MAX].map(Value::from)).collect()
}

fn texts() -> Vec<String> {
    let short = [
        "",
        " ",
        "a",
        "A",
        "a b",
        " a",
        "-a",
        "a-",
        ".a",
        "a.b",
        "a..b",
        "a.-b",
        "a_b",
        "a__b",
        "a/b",
        "a/b/c",
        "/a",
        "a/",
        "a../b",
        "Example.com/b",
        "example.com/B_b",
        "*",
        "ü",
        "a\nb",
        "a\u{0}b",
        "a:b",
        "a@sha256:00",
        "1",
        "0",
        "-1",
        "+1",
        "0.5",
        ".5",
        "1.",
        "0.0001",
        "500m",
        "64Mi",
        "64MB",
        "1e3",
        "1e19",
        "1e300",
        "1E-9",
        "1n",
        "1u",
        "0.0625Gi",
        "1073741824",
        "999999999999999999",
        "9Pi",
        "9Ei",
        "1 G",
        " 1",
        "999999999.999Ti",
        "NaN",
        "none",
    ];
    let x = |count| "x".repeat(count);
    let long = [x(63), x(64), x(253), x(254), format!("{}/{}", x(253), x(63)), format!("{}/x", x(254)), x(318), x(513)];
    short.into_iter().map(ToOwned::to_owned).chain(long).collect()
}

/// Every place of a text in a schema: a JSON pointer, and whether what changes there is a key.
fn places(schema: &Value, at: &str, found: &mut Vec<(String, bool)>) {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        places(member, &format!("{at}/{name}"), found);
    }
    if schema["items"].is_object() {
        places(&schema["items"], &format!("{at}/0"), found);
    }
    if schema["additionalProperties"].is_object() {
        found.extend([(at.to_owned(), true), (format!("{at}/team"), false)]);
    }
    // Where Kubernetes' own types have an enumeration, it may be empty.
    let is_text = schema["type"] == "string" && schema["enum"].as_array().is_none_or(|of| of.contains(&json!("")));
    if is_text || schema["x-kubernetes-int-or-string"] == true {
        found.push((at.to_owned(), false));
    }
}

/// The declaration with another value in a place. `None` for a number in the place of a key.
fn changed(place: &str, is_key: bool, value: &Value) -> Option<Value> {
    let mut object = declaration();
    let names = place.split('/').skip(1);
    let target = names.fold(&mut object["spec"], |target, name| match name {
        "0" => &mut target[0],
        name => &mut target[name],
    });
    *target = if is_key { json!({value.as_str()?: "x"}) } else { value.clone() };
    Some(object)
}

struct World {
    client: Client,
    /// What is made of the declaration as it stands.
    usual: Vec<Desired>,
}

impl World {
    /// What is made for an issuer that the API server takes. `None` when it does not, or the operator says what is wrong.
    async fn made(client: &Client, object: &Value) -> Option<Vec<Desired>> {
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), "default", &kube::api::ApiResource::erase::<VouchIssuer>(&()));
        let taken = api.create(&parameters, &serde_json::from_value(object.clone()).unwrap()).await;
        let taken = match taken {
            Ok(taken) => taken,
            Err(kube::Error::Api(status)) if [400, 422].contains(&status.code) => return None,
            Err(error) => panic!("{error}"),
        };
        let mut issuer: VouchIssuer = serde_json::from_value(serde_json::to_value(taken).unwrap()).unwrap();
        issuer.metadata.uid = Some("6d3b3a7e-4f0e-4f6e-9a43-0a7c3f0b7f11".to_owned());
        let valid = validate(&issuer, &[], "vouch-issuer:1").ok()?;
        Some(build(&valid, &OptionalApis::default()).unwrap())
    }

    /// What is wrong with the objects that are made of a declaration.
    async fn faults(&self, object: &Value) -> Vec<String> {
        let Some(made) = Self::made(&self.client, object).await else { return Vec::new() };
        let mut faults = Vec::new();
        for desired in made.iter().filter(|desired| !self.usual.contains(desired)) {
            faults.extend(self.fault(desired).await);
        }
        faults
    }

    async fn fault(&self, desired: &Desired) -> Option<String> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), "default", &desired.kind().resource());
        let parameters = PatchParams { dry_run: true, ..PatchParams::apply(names::FIELD_MANAGER) };
        match api.patch(desired.name(), &parameters, &Patch::Apply(desired.body())).await {
            Err(error) => Some(format!("refused: {error}")),
            Ok(live) => (!is_as_applied(desired, &live)).then(|| format!("never as applied: {live:?}")),
        }
    }
}

/// Forms of Kubernetes' own types, which people copy from other manifests.
fn forms_of_kubernetes() -> Vec<Value> {
    let amounts = |amounts: Value| json!({"resources": {"limits": amounts}});
    let toleration = |toleration: Value| json!({"tolerations": [toleration]});
    vec![
        amounts(json!({"cpu": 2, "memory": 1_073_741_824, "ephemeral-storage": 0})),
        amounts(json!({"cpu": ".5", "memory": "1073741824", "ephemeral-storage": "1e9"})),
        amounts(json!({"cpu": "+1.", "memory": "0.0625Gi", "ephemeral-storage": "1Pi"})),
        amounts(json!({"cpu": "100u", "memory": "1E10", "ephemeral-storage": "1E"})),
        json!({"resources": {"requests": {"cpu": 2, "memory": 1024}, "limits": {"cpu": "2000m", "memory": "1Ki"}}}),
        toleration(json!({"key": "", "operator": "Exists", "value": "", "effect": ""})),
        toleration(json!({"key": "dedicated", "operator": "", "value": "", "effect": ""})),
        json!({"annotations": {"team": "x".repeat(5000)}}),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_takes_whatever_is_made_of_a_declaration_that_it_has_taken() {
    let control_plane = ControlPlane::start();
    control_plane.install_definitions();
    let client = client(control_plane.kubeconfig()).await;
    let usual = World::made(&client, &declaration()).await.expect("the declaration is right");
    let world = World { client, usual };
    for desired in &world.usual {
        assert_eq!(world.fault(desired).await, None);
    }

    for deployment in forms_of_kubernetes() {
        let mut object = declaration();
        object["spec"]["deployment"] = deployment.clone();
        assert!(World::made(&world.client, &object).await.is_some(), "{deployment} is refused");
        assert_eq!(world.faults(&object).await, Vec::<String>::new(), "{deployment}");
        // The pods of an issuer judge it by themselves.
        object["spec"].as_object_mut().unwrap().remove("exposure");
        let taken = vouch_issuer::config::load_objects(&[object]);
        assert!(taken.is_ok(), "{deployment}: {:?}", taken.err());
    }

    let definition = vouch_crds::definitions().into_iter().find(|definition| definition.kind == "VouchIssuer").unwrap();
    let mut found = Vec::new();
    for part in ["deployment", "exposure"] {
        places(&definition.schema()["properties"]["spec"]["properties"][part], &format!("/{part}"), &mut found);
    }
    assert!(found.len() > 30, "{found:?}");
    let values = values();
    let cases = found.iter().flat_map(|place| values.iter().map(move |value| (place, value)));
    let judged = cases.filter_map(|((place, is_key), value)| {
        let (world, object) = (&world, changed(place, *is_key, value)?);
        Some(async move {
            let faults = world.faults(&object).await;
            faults.into_iter().map(|fault| format!("{place} {value}: {fault}")).collect::<Vec<_>>()
        })
    });
    let faults: Vec<String> =
        stream::iter(judged).buffer_unordered(SIDE_BY_SIDE).flat_map(stream::iter).collect().await;
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), found.len() * values.len(), faults.join("\n"));
}
