//! The chart on an API server: what is rendered is taken as it stands, and an uninstall leaves what people have made.

use std::path::Path;

use serde_json::Value;
use vouch_control_plane::{ControlPlane, until};

use crate::{
    access::objects_of_an_issuer,
    support::{ENFORCEMENT, EVERYTHING, documents, helms, render, the, title},
};

/// Every check is made, and nothing is written.
const JUDGED: [&str; 1] = ["--dry-run=server"];
/// As the operator does it, and by the rights of its account.
const BY_THE_OPERATOR: [&str; 3] =
    ["--field-manager=vouch-operator", "--force-conflicts", "--as=system:serviceaccount:vouch:vouch-operator"];

/// Kinds of APIs that an API server alone does not serve.
fn is_served(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().unwrap();
    !["monitoring.coreos.com/", "gateway.networking.k8s.io/", "cert-manager.io/"]
        .iter()
        .any(|other| group.starts_with(other))
}

fn takes_every_object(cluster: &ControlPlane) {
    for namespace in ["vouch", "team-a"] {
        cluster.told(&["create", "namespace", namespace]);
    }
    // Refused unless every pod in it is restricted.
    cluster.told(&["label", "namespace", "vouch", "pod-security.kubernetes.io/enforce=restricted"]);
    let ha = vouch_chart::chart().join("values-ha.yaml");
    let cluster_wide = [&EVERYTHING[..], &["scope=Cluster", ha.to_str().unwrap()]].concat();
    let service = [
        "metrics.serviceMonitor.enabled=true",
        "namespaces={vouch,team-a}",
        "networkPolicy.egress[0].ports[0].port=6443",
    ];
    for set in [&EVERYTHING[..], &cluster_wide, &service] {
        render(set).iter().filter(|object| is_served(object)).for_each(|object| cluster.takes(object, &JUDGED));
    }
    let mut wrong = the(&render(&[]), "Deployment").clone();
    wrong["spec"]["replica"] = Value::from(1);
    assert!(cluster.refuses(&wrong, &JUDGED).contains("replica"), "a judge that takes everything proves nothing");
}

/// The operator's account makes all that an issuer is made of, and can make nothing more of it.
fn lets_the_operator_make_an_issuer(cluster: &ControlPlane, issuer: &Value) {
    cluster.takes(issuer, &[]);
    let uid = ["get", "vouchissuer", "--namespace=vouch", "vouch", "--output=jsonpath={.metadata.uid}"];
    let mut objects = objects_of_an_issuer(&cluster.told(&uid));
    objects.retain(is_served);
    // The plugin learns of new kinds some seconds late.
    until("the API server knows VouchIssuer everywhere", || {
        !cluster.offer(&objects[0], &BY_THE_OPERATOR).words().contains("cannot find RESTMapping")
    });
    for object in &objects {
        cluster.takes(object, &BY_THE_OPERATOR);
    }
    let mut elsewhere = the(&objects, "ServiceAccount").clone();
    elsewhere["metadata"]["namespace"] = Value::from("team-a");
    let refusal = cluster.refuses(&elsewhere, &BY_THE_OPERATOR);
    assert!(refusal.contains("forbidden"), "it acts in a namespace that is not its own: {refusal}");
    let mut generous = the(&objects, "Role").clone();
    generous["rules"][0]["verbs"] = serde_json::json!(["delete"]);
    let refusal = cluster.refuses(&generous, &BY_THE_OPERATOR);
    assert!(refusal.contains("attempting to grant RBAC permissions not currently held"), "{refusal}");
}

fn example_is_taken(cluster: &ControlPlane) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/issuer.yaml");
    cluster.told(&["apply", "--dry-run=server", "--validate=strict", "--filename", example.to_str().unwrap()]);
}

/// A reference with a slash may be one that the person has put into Docker Hub, and with a host it is none of its own.
fn notes_name_the_images_that_are_nowhere(notes: impl Fn(&str) -> String) {
    let version = env!("CARGO_PKG_VERSION");
    let nowhere = |value: &str, repository: &str| {
        let image = format!("{repository}:{version}");
        format!(
            "{image} looks for it in Docker Hub, in general, where it is not: set global.imageRegistry or {value}.registry."
        )
    };
    let (operator, issuer) = (nowhere("image", "vouch-operator"), nowhere("issuerImage", "vouch-issuer"));
    for (set, missing) in [
        ("", vec![&operator, &issuer]),
        ("image.registry=registry.example.com", vec![&issuer]),
        ("image.repository=registry.example.com/vouch-operator", vec![&issuer]),
        ("issuerImage.repository=registry.example.com/vouch/vouch-issuer", vec![&operator]),
        ("image.repository=example/operator,issuerImage.registry=example", vec![]),
        ("global.imageRegistry=registry.example.com/vouch/", vec![]),
    ] {
        let notes = notes(set);
        assert!(missing.iter().all(|sentence| notes.contains(*sentence)), "{set}: {notes}");
        assert_eq!(notes.matches("Docker Hub").count(), missing.len(), "{set}: {notes}");
    }
}

/// The issuer in the notes: the first thing that people are told to apply.
fn issuer_of_the_notes(notes: &str) -> Value {
    assert!(notes.contains("acts upon the objects of vouch."), "{notes}");
    let indented = notes.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.contains("kubectl"));
    let manifest: String = indented.map(|line| format!("{line}\n")).collect();
    let issuer = documents(&manifest).remove(0);
    assert_eq!(title(&issuer), "VouchIssuer/vouch");
    issuer
}

/// Which definitions there are, and which objects of theirs. What is on its way out is not there any more.
fn made_by_people(cluster: &ControlPlane) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for definition in vouch_crds::definitions() {
        let all = ["get", &definition.name, "--all-namespaces", "--output=json"];
        for words in [cluster.told(&["get", "crd", &definition.name, "--output=json"]), cluster.told(&all)] {
            let answer: Value = serde_json::from_str(&words).unwrap();
            let objects = answer["items"].as_array().cloned().unwrap_or_else(|| vec![answer]);
            let stays = |object: &&Value| object["metadata"]["deletionTimestamp"].is_null();
            let uid = |object: &Value| object["metadata"]["uid"].as_str().unwrap().to_owned();
            found.extend(objects.iter().filter(stays).map(|object| (title(object), uid(object))));
        }
    }
    found
}

/// Installs, upgrades, rolls back, uninstalls and installs again, with the older and the newer Helm.
fn an_uninstall_keeps_what_people_have_made(cluster: &ControlPlane) {
    let chart = vouch_chart::chart();
    let chart = chart.to_str().unwrap();
    let user = serde_json::json!({
        "apiVersion": "vouch.sh/v1alpha1",
        "kind": "VouchUser",
        "metadata": {"name": "alice", "namespace": "vouch"},
        "spec": {"email": "alice@example.com"},
    });
    for helm in helms() {
        let run = |arguments: &[&str]| {
            let arguments = [arguments, &["--namespace=vouch"]].concat();
            let output = helm.run(&arguments, Some(cluster.kubeconfig()));
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{} {arguments:?}: {words}", helm.version());
            String::from_utf8(output.stdout).unwrap()
        };
        notes_name_the_images_that_are_nowhere(|set| {
            run(&["install", "vouch", chart, "--dry-run=server", "--set", set])
        });
        let notes = run(&["install", "vouch", chart]);
        cluster.told(&["wait", "--for=condition=Established", "--timeout=30s", "crd", "vouchusers.vouch.sh"]);
        cluster.takes(&user, &[]);
        lets_the_operator_make_an_issuer(cluster, &issuer_of_the_notes(&notes));
        example_is_taken(cluster);

        let replicas =
            || cluster.told(&["get", "deployment", "-n=vouch", "vouch-operator", "--output=jsonpath={.spec.replicas}"]);
        run(&["upgrade", "vouch", chart, "--set=replicas=3,scope=Cluster"]);
        assert_eq!(replicas(), "3");
        cluster.told(&["get", "clusterrole", "vouch:vouch-operator"]);
        run(&["rollback", "vouch", "1"]);
        assert_eq!(replicas(), "2");
        assert!(!cluster.kubectl(&["get", "clusterrole", "vouch:vouch-operator"]).is_success());
        let before = made_by_people(cluster);
        assert_eq!(before.len(), vouch_crds::definitions().len() + ["VouchIssuer/vouch", "VouchUser/alice"].len());
        run(&["uninstall", "vouch"]);
        assert!(!cluster.kubectl(&["get", "deployment", "-n=vouch", "vouch-operator"]).is_success());
        assert_eq!(made_by_people(cluster), before);
    }
}

/// One cluster for all of it: starting one costs more than everything else here.
#[test]
fn an_api_server_takes_the_chart_and_keeps_what_people_have_made() {
    let cluster = ControlPlane::start_with(&ENFORCEMENT);
    takes_every_object(&cluster);
    an_uninstall_keeps_what_people_have_made(&cluster);
}
