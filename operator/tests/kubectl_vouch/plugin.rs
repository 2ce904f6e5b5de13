//! `kubectl vouch` in somebody's name, and an operator.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use vouch_control_plane::{ControlPlane, Outcome};

/// A proxy that leads nowhere. It is not for an API server on this machine.
const PROXY: (&str, &str) = ("HTTPS_PROXY", "http://127.0.0.1:1");

/// A control plane with a namespace for an issuer.
pub(crate) struct Cluster {
    pub(crate) plane: ControlPlane,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        Self { plane: ControlPlane::start() }
    }

    /// The custom resources, and a namespace for people.
    pub(crate) fn install(&self) {
        self.plane.told(&["create", "namespace", "vouch"]);
        self.plane.install_definitions();
    }

    /// A field of the issuer.
    pub(crate) fn issuer(&self, path: &str) -> String {
        self.plane.told(&["get", "vouchissuer", "vouch", "-n", "vouch", "-o", &format!("jsonpath={{{path}}}")])
    }

    /// Changes the issuer.
    pub(crate) fn patch_issuer(&self, patch: &str) {
        self.plane.told(&["patch", "vouchissuer", "vouch", "-n", "vouch", "--type=merge", "-p", patch]);
    }

    /// The plugin in the namespace of the issuer.
    pub(crate) fn vouch(&self, arguments: &[&str]) -> Outcome {
        self.vouch_with(self.plane.kubeconfig(), &[arguments, &["-n", "vouch"]].concat())
    }

    /// The same with another kubeconfig. Whatever fails is told to a person.
    pub(crate) fn vouch_with(&self, kubeconfig: &Path, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-vouch"));
        command.args(arguments).env("KUBECONFIG", kubeconfig).env("TZ", "UTC").env(PROXY.0, PROXY.1);
        let outcome = Outcome::of(&mut command);
        let words = outcome.words();
        let for_people = words.starts_with("kubectl vouch: ") && !words.contains("ApiError");
        assert!(outcome.is_success() || for_people, "{arguments:?}: {words}");
        outcome
    }

    /// The operator, until this is dropped.
    pub(crate) fn operator(&self) -> Operator {
        let log = fs::File::create(self.plane.cluster().folder().join("operator.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vouch-operator"));
        command.args([
            "--namespaces=vouch",
            "--image=vouch-issuer:1",
            "--listen=127.0.0.1:0",
            "--admin-listen=127.0.0.1:0",
        ]);
        command.env("KUBECONFIG", self.plane.kubeconfig()).env("POD_NAMESPACE", "vouch").env(PROXY.0, PROXY.1);
        Operator(command.stderr(log).stdout(Stdio::null()).spawn().unwrap())
    }
}

/// A process of the operator.
pub(crate) struct Operator(Child);

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
