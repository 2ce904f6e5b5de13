//! Helm, and what it renders.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// Every object that the chart can have, besides the custom resource definitions.
pub(crate) const EVERYTHING: [&str; 4] = [
    "metrics.rules.enabled=true",
    "metrics.dashboard.enabled=true",
    "metrics.podMonitor.enabled=true",
    "test.url=https://vouch.example.com",
];

/// With this plugin of admission, an object that is owned needs the right to set finalizers of its owner, as it does in
/// OpenShift.
pub(crate) const ENFORCEMENT: [&str; 2] =
    ["-apiserver-arg", "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"];

/// The installed Helms, of both major versions: people use both.
pub(crate) fn helms() -> [Helm; 2] {
    [Helm(tool("VOUCH_HELM")), Helm(tool("VOUCH_HELM_3"))]
}

/// A program by the variable that names it, which the Makefile sets.
pub(crate) fn tool(variable: &str) -> PathBuf {
    let path = env::var_os(variable).map(PathBuf::from);
    let path = path.unwrap_or_else(|| panic!("{variable} is not set; run: make test-chart"));
    assert!(path.exists(), "{} is missing; run: make test-chart", path.display());
    path
}

pub(crate) struct Helm(PathBuf);

impl Helm {
    /// Runs it, away from whatever cluster and settings the person has.
    pub(crate) fn run(&self, arguments: &[&str], kubeconfig: Option<&Path>) -> Output {
        let home = tempfile::tempdir().unwrap();
        self.command(home.path(), kubeconfig).args(arguments).output().unwrap()
    }

    /// The same, for whoever starts it. It keeps what it keeps in `home`.
    pub(crate) fn command(&self, home: &Path, kubeconfig: Option<&Path>) -> Command {
        let mut command = Command::new(&self.0);
        command.env("HOME", home).env("KUBECONFIG", kubeconfig.unwrap_or(Path::new("/dev/null")));
        command
    }

    /// What release `vouch` in namespace `vouch` has, or Helm's words when it refuses.
    pub(crate) fn try_render(&self, set: &[&str]) -> Result<Vec<Value>, String> {
        let chart = vouch_chart::chart();
        // A Helm that was built from its module believes in a Kubernetes of long ago.
        let mut arguments =
            vec!["template", "vouch", chart.to_str().unwrap(), "--namespace=vouch", "--kube-version=v1.34.0"];
        arguments.extend(
            set.iter()
                .map(|value| if value.ends_with(".yaml") { "--values" } else { "--set" })
                .zip(set)
                .flat_map(|(flag, value)| [flag, value]),
        );
        let output = self.run(&arguments, None);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(documents(&String::from_utf8(output.stdout).unwrap()))
    }

    pub(crate) fn version(&self) -> String {
        String::from_utf8(self.run(&["version", "--short"], None).stdout).unwrap()
    }
}

/// What both Helms make of values (`a.b=c`, or a file); they must agree.
pub(crate) fn render(set: &[&str]) -> Vec<Value> {
    let [four, three] = helms().map(|helm| helm.try_render(set).unwrap_or_else(|error| panic!("{set:?}: {error}")));
    assert_eq!(four, three, "the two Helms differ");
    four
}

/// The objects in a stream of manifests.
pub(crate) fn documents(stream: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(stream).unwrap();
    all.into_iter().filter(|document| !document.is_null()).collect()
}

/// The objects of a kind.
pub(crate) fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// The one object of a kind.
pub(crate) fn the<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    match of_kind(objects, kind).as_slice() {
        [one] => one,
        other => panic!("{} objects of kind {kind}", other.len()),
    }
}

/// The texts in a list.
pub(crate) fn texts(list: &Value) -> Vec<&str> {
    list.as_array().map(|items| items.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// `kind/name`, for messages.
pub(crate) fn title(object: &Value) -> String {
    format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
}
