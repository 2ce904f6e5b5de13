//! The chart on an API server: what is rendered is taken as it stands, and an uninstall leaves what people have made.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{
    access::objects_of_an_issuer,
    support::{EVERYTHING, helms, render, the, title, tool},
};

/// A control plane without nodes. It ends with this process, however that ends.
struct Cluster {
    program: PathBuf,
    folder: String,
    kubeconfig: PathBuf,
}

impl Cluster {
    fn up() -> Self {
        let program = tool("VOUCH_CLUSTER");
        let output = Command::new(&program)
            .args(["up", "-nodes", "0", "-owner-pid", &std::process::id().to_string()])
            .env_remove("CLUSTER_DIR")
            // With it, an object that is owned needs the right to set finalizers of its owner, as it does in OpenShift.
            .args(["-apiserver-arg", "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the cluster does not start");
        let exports = String::from_utf8(output.stdout).unwrap();
        let value = |name: &str| {
            let line = exports.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
            line.unwrap_or_else(|| panic!("no {name} in: {exports}")).trim_matches(['"', '\'']).to_owned()
        };
        Self { program, folder: value("CLUSTER_DIR"), kubeconfig: value("KUBECONFIG").into() }
    }

    fn kubectl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.arg("kubectl").args(arguments).env("CLUSTER_DIR", &self.folder).env("KUBECONFIG", &self.kubeconfig);
        command.output().unwrap()
    }

    /// What kubectl prints when it succeeds.
    fn told(&self, arguments: &[&str]) -> String {
        let output = self.kubectl(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Has an object judged as if it were made, by whom `as_whom` says.
    fn judge(&self, object: &Value, as_whom: &[&str]) -> Output {
        let file = tempfile::NamedTempFile::new().unwrap();
        serde_json::to_writer(file.as_file(), object).unwrap();
        let path = file.path().to_str().unwrap();
        let apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename", path];
        self.kubectl(&[&apply, as_whom].concat())
    }

    fn takes(&self, object: &Value, as_whom: &[&str]) {
        let output = self.judge(object, as_whom);
        assert!(output.status.success(), "{}: {}", title(object), String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new(&self.program).arg("down").env("CLUSTER_DIR", &self.folder).output();
    }
}

/// Kinds of APIs that an API server alone does not serve.
fn is_served(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().unwrap();
    !["monitoring.coreos.com/", "gateway.networking.k8s.io/", "cert-manager.io/"]
        .iter()
        .any(|other| group.starts_with(other))
}

fn takes_every_object(cluster: &Cluster) {
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
        render(set).iter().filter(|object| is_served(object)).for_each(|object| cluster.takes(object, &[]));
    }
    let mut wrong = the(&render(&[]), "Deployment").clone();
    wrong["spec"]["replica"] = Value::from(1);
    assert!(!cluster.judge(&wrong, &[]).status.success(), "a judge that takes everything proves nothing");
}

/// The operator's account makes all that an issuer is made of; every check of the API server is in force.
fn lets_the_operator_make_an_issuer(cluster: &Cluster) {
    let operator = ["--as=system:serviceaccount:vouch:vouch-operator"];
    let mut objects = objects_of_an_issuer("vouch");
    objects.retain(is_served);
    for object in &objects {
        cluster.takes(object, &operator);
    }
    let mut elsewhere = the(&objects, "Role").clone();
    elsewhere["metadata"]["namespace"] = Value::from("team-a");
    assert!(!cluster.judge(&elsewhere, &operator).status.success(), "it acts in a namespace that is not its own");
    let mut generous = the(&objects, "Role").clone();
    generous["rules"][0]["verbs"] = serde_json::json!(["delete"]);
    let refusal = cluster.judge(&generous, &operator);
    let words = String::from_utf8_lossy(&refusal.stderr);
    assert!(
        !refusal.status.success() && words.contains("attempting to grant RBAC permissions not currently held"),
        "{words}"
    );
}

fn example_is_taken(cluster: &Cluster) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/issuer.yaml");
    cluster.told(&["apply", "--dry-run=server", "--validate=strict", "--filename", example.to_str().unwrap()]);
}

/// Installs, upgrades, rolls back, uninstalls and installs again, with the older and the newer Helm.
fn an_uninstall_keeps_what_people_have_made(cluster: &Cluster) {
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
            let output = helm.run(&arguments, Some(&cluster.kubeconfig));
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{} {arguments:?}: {words}", helm.version());
            String::from_utf8(output.stdout).unwrap()
        };
        let notes = run(&["install", "vouch", chart]);
        assert!(notes.contains("acts upon the objects of vouch."), "{notes}");
        cluster.told(&["wait", "--for=condition=Established", "--timeout=30s", "crd", "vouchusers.vouch.sh"]);
        let file = tempfile::NamedTempFile::new().unwrap();
        serde_json::to_writer(file.as_file(), &user).unwrap();
        cluster.told(&["apply", "--filename", file.path().to_str().unwrap()]);
        lets_the_operator_make_an_issuer(cluster);
        example_is_taken(cluster);

        let replicas =
            || cluster.told(&["get", "deployment", "-n=vouch", "vouch-operator", "--output=jsonpath={.spec.replicas}"]);
        run(&["upgrade", "vouch", chart, "--set=replicas=3,scope=Cluster"]);
        assert_eq!(replicas(), "3");
        cluster.told(&["get", "clusterrole", "vouch-vouch-operator"]);
        run(&["rollback", "vouch", "1"]);
        assert_eq!(replicas(), "2");
        assert!(!cluster.kubectl(&["get", "clusterrole", "vouch-vouch-operator"]).status.success());
        run(&["uninstall", "vouch"]);
        assert!(!cluster.kubectl(&["get", "deployment", "-n=vouch", "vouch-operator"]).status.success());
        let alice = ["get", "vouchuser", "--namespace=vouch", "alice", "--output=jsonpath={.spec.email}"];
        assert_eq!(cluster.told(&alice), "alice@example.com");
    }
}

/// One cluster for all of it: starting one costs more than everything else here.
#[test]
fn an_api_server_takes_the_chart_and_keeps_what_people_have_made() {
    let cluster = Cluster::up();
    takes_every_object(&cluster);
    an_uninstall_keeps_what_people_have_made(&cluster);
}
