//! A first installation that fails, on a real API server: what Helm leaves, says and takes next is what the guide says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use serde_json::json;
use tempfile::TempDir;
use vouch_control_plane::{ControlPlane, until};

use crate::support::{Helm, helms};

const STATUS: &str = "helm status vouch -n vouch";
const INSTALL: &str = "helm install vouch charts/vouch -n vouch --create-namespace -f values.yaml --wait";
const UPGRADE: &str = "helm upgrade --install vouch charts/vouch -n vouch --create-namespace -f values.yaml --wait";
const UNINSTALL: &str = "helm uninstall vouch -n vouch";
/// No pod becomes ready without nodes.
const SOON: [&str; 2] = ["--timeout", "2s"];
/// Without nodes an installation succeeds that has no pods.
const WITHOUT_PODS: [&str; 2] = ["--set", "replicas=0"];

/// Somebody with the guide at hand.
struct Reader<'a> {
    helm: &'a Helm,
    home: TempDir,
    kubeconfig: &'a Path,
    guide: String,
}

impl<'a> Reader<'a> {
    fn new(helm: &'a Helm, kubeconfig: &'a Path) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("values.yaml"), "global: {imageRegistry: registry.example.com/vouch}\n").unwrap();
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/install.md");
        let guide = fs::read_to_string(guide).unwrap();
        let twice = guide.lines().filter(|line| line.trim() == INSTALL).count();
        assert_eq!(twice, 2, "the guide tells it for the first time, and to begin anew: {INSTALL}");
        Self { helm, home, kubeconfig, guide }
    }

    /// The words of a line of the guide, with the chart and the values of this machine.
    fn words(&self, line: &str, more: &[&str]) -> Vec<PathBuf> {
        assert!(self.guide.lines().any(|of_guide| of_guide.trim() == line), "the guide does not tell: {line}");
        let here = |word: &str| match word {
            "charts/vouch" => vouch_chart::chart(),
            "values.yaml" => self.home.path().join(word),
            other => PathBuf::from(other),
        };
        line.split_whitespace().skip(1).chain(more.iter().copied()).map(here).collect()
    }

    fn types(&self, line: &str, more: &[&str]) -> Output {
        let mut command = self.helm.command(self.home.path(), Some(self.kubeconfig));
        command.args(self.words(line, more)).output().unwrap()
    }

    fn succeeds(&self, line: &str, more: &[&str]) -> String {
        let output = self.types(line, more);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{} {line}: {words}", self.helm.version());
        String::from_utf8(output.stdout).unwrap()
    }

    /// What Helm says, of which the guide has `excerpt`.
    fn fails(&self, line: &str, more: &[&str], excerpt: &str) -> String {
        assert!(self.guide.contains(&format!("| `{excerpt}` |")), "the guide does not explain: {excerpt}");
        let output = self.types(line, more);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && words.contains(excerpt), "{} {line}: {words}", self.helm.version());
        words
    }

    fn has_status(&self, status: &str) -> bool {
        let words = String::from_utf8(self.types(STATUS, &[]).stdout).unwrap();
        words.lines().any(|line| line == format!("STATUS: {status}"))
    }

    fn has_no_release(&self) -> bool {
        String::from_utf8_lossy(&self.types(STATUS, &[]).stderr).contains("release: not found")
    }
}

/// Nobody has made the namespace, and Helm stops before it makes it.
fn mistakes_before_there_is_a_namespace(reader: &Reader<'_>, cluster: &ControlPlane) {
    let has_namespace = || cluster.kubectl(&["get", "namespace", "vouch"]).is_success();
    let excerpt = "values don't meet the specifications of the schema";
    let words = reader.fails(INSTALL, &["--set", "replica=2"], excerpt);
    assert!(words.contains("'replica'") && reader.has_no_release() && !has_namespace(), "{words}");
    assert!(reader.guide.contains("\nTo begin anew instead, where `helm status` shows a release:\n"));
    let nothing = reader.types(UNINSTALL, &[]);
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("release: not found"), "{nothing:?}");
    reader.succeeds(UPGRADE, &WITHOUT_PODS);
    reader.succeeds(UNINSTALL, &[]);
    cluster.told(&["delete", "namespace", "vouch"]);

    // The definitions are those of a release that is gone.
    let take_over = [&WITHOUT_PODS[..], &["--take-ownership"]].concat();
    let run = |arguments: &[&str]| {
        let output = reader.helm.run(&[arguments, &["--namespace=default"]].concat(), Some(reader.kubeconfig));
        assert!(output.status.success(), "{output:?}");
    };
    let chart = vouch_chart::chart();
    run(&[&["install", "earlier", chart.to_str().unwrap()], &take_over[..]].concat());
    run(&["uninstall", "earlier"]);
    let excerpt = "exists and cannot be imported into the current release";
    let words = reader.fails(INSTALL, &WITHOUT_PODS, excerpt);
    assert!(words.contains("earlier") && reader.has_no_release() && !has_namespace(), "{words}");
    reader.succeeds(UPGRADE, &take_over);
    reader.succeeds(UNINSTALL, &[]);
}

fn pods_that_do_not_become_ready(reader: &Reader<'_>) {
    let slip = [&SOON[..], &["--set", "global.imagePullsecrets={registry}"]].concat();
    reader.fails(INSTALL, &slip, "context deadline exceeded");
    assert!(reader.has_status("failed"));
    let notes = reader.succeeds(STATUS, &[]);
    let says = "\nThis chart does not read global.imagePullsecrets: it reads global.imagePullSecrets.\n";
    assert!(notes.contains(says), "{notes}");
    let again = reader.types(INSTALL, &SOON);
    assert!(String::from_utf8_lossy(&again.stderr).contains("use a name that is still in use"), "{again:?}");
    let notes = reader.succeeds(UPGRADE, &WITHOUT_PODS);
    assert!(reader.has_status("deployed"));
    assert!(notes.contains("image is registry.example.com/vouch/vouch-operator:"), "{notes}");
    assert!(!notes.contains("Docker Hub") && !notes.contains("does not read"), "{notes}");
    assert!(reader.succeeds(UNINSTALL, &[]).contains("kept due to the resource policy"));
    assert!(reader.has_no_release());
}

fn somebody_without_rights_outside_of_the_namespace(reader: &Reader<'_>, cluster: &ControlPlane) {
    cluster.told(&["create", "rolebinding", "alice", "--clusterrole=admin", "--user=alice", "--namespace=vouch"]);
    let kubeconfig = cluster.kubeconfig_of_user("alice");
    let alice = Reader::new(reader.helm, &kubeconfig);
    let outside = alice.fails(INSTALL, &SOON, "is forbidden");
    assert!(outside.contains("customresourcedefinitions"), "{outside}");
    let inside = [&SOON[..], &["--set", "crds.install=false,rbac.userRoles.create=false"]].concat();
    let namespace = alice.fails(INSTALL, &inside, "is forbidden");
    assert!(namespace.contains("resource \"namespaces\""), "{namespace}");
    assert!(reader.has_no_release());
    cluster.told(&["delete", "rolebinding", "alice", "--namespace=vouch"]);
}

fn a_namespace_that_does_not_exist(reader: &Reader<'_>, cluster: &ControlPlane) {
    let values = [&WITHOUT_PODS[..], &["--set", "namespaces={team-a}"]].concat();
    reader.fails(INSTALL, &values, "namespaces \"team-a\" not found");
    assert!(reader.has_status("failed"));
    cluster.told(&["create", "namespace", "team-a"]);
    reader.succeeds(UPGRADE, &values);
    reader.succeeds(UNINSTALL, &[]);
    cluster.told(&["delete", "namespace", "team-a"]);
}

fn a_helm_that_is_killed(reader: &Reader<'_>) {
    let mut helm = reader.helm.command(reader.home.path(), Some(reader.kubeconfig));
    let mut helm = helm.args(reader.words(INSTALL, &[])).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the installation is under way", || reader.has_status("pending-install"));
    helm.kill().unwrap();
    helm.wait().unwrap();
    reader.fails(UPGRADE, &WITHOUT_PODS, "another operation (install/upgrade/rollback) is in progress");
    assert!(reader.has_status("pending-install"));
    reader.succeeds(UNINSTALL, &[]);
    reader.succeeds(INSTALL, &WITHOUT_PODS);
    reader.succeeds(UNINSTALL, &[]);
}

#[test]
fn a_first_installation_that_fails_goes_on_as_the_guide_says() {
    let cluster = ControlPlane::start();
    let user = json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchUser", "metadata": {"name": "alice", "namespace": "vouch"},
        "spec": {"email": "alice@example.com"},
    });
    for helm in &helms() {
        let reader = Reader::new(helm, cluster.kubeconfig());
        mistakes_before_there_is_a_namespace(&reader, &cluster);
        pods_that_do_not_become_ready(&reader);
        cluster.takes(&user, &[]);
        somebody_without_rights_outside_of_the_namespace(&reader, &cluster);
        a_namespace_that_does_not_exist(&reader, &cluster);
        a_helm_that_is_killed(&reader);
        cluster.told(&["get", "vouchuser", "alice", "--namespace=vouch"]);
        cluster.told(&["delete", "namespace", "vouch"]);
    }
}
