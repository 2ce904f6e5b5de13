//! An API server with its controllers and without nodes, and what tests do with one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::{Value, json};

use crate::{Cluster, Outcome};

/// A control plane without nodes. It ends when this is dropped, and with this process, however that ends.
#[derive(Debug)]
pub struct ControlPlane {
    cluster: Cluster,
    /// The administrator's kubeconfig, once somebody wants another.
    config: OnceLock<Value>,
}

impl ControlPlane {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more flags of `cluster up`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_with(flags: &[&str]) -> Self {
        Self { cluster: Cluster::up([&["-nodes", "0"], flags].concat()), config: OnceLock::new() }
    }

    /// The one that all tests of a program share, with the definitions. It is started when the first of them asks.
    ///
    /// # Panics
    /// When it does not start.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        SHARED.get_or_init(|| {
            let control_plane = Self::start();
            control_plane.install_definitions();
            control_plane
        })
    }

    /// The custom resource definitions, ready for objects.
    ///
    /// # Panics
    /// When the API server does not take them.
    pub fn install_definitions(&self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds/yaml");
        self.told(&["apply", "--server-side", "--filename", folder.to_str().unwrap()]);
        self.told(&["wait", "--for=condition=Established", "--timeout=60s", "customresourcedefinitions", "--all"]);
        // They are said to be established before their storage answers. kubectl waits for it.
        self.told(&["get", "vouchissuers,awsfederations,vouchusers,oidcclients", "--all-namespaces"]);
    }

    /// The cluster that it is.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The administrator's.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        self.cluster.kubeconfig()
    }

    /// Runs `kubectl` as administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.kubectl_command(arguments))
    }

    /// What `kubectl` prints when it succeeds.
    ///
    /// # Panics
    /// When it does not.
    pub fn told(&self, arguments: &[&str]) -> String {
        self.kubectl(arguments).answer()
    }

    /// Runs `kubectl apply` with manifests, as people do.
    pub fn apply(&self, manifests: &str, options: &[&str]) -> Outcome {
        let arguments = [&["apply", "--filename", "-"], options].concat();
        Outcome::with_input(&mut self.kubectl_command(&arguments), manifests)
    }

    /// Applies an object on the server's side and strictly; `options` may say by whom (`--as`), or that nothing is to be
    /// written (`--dry-run=server`).
    pub fn offer(&self, object: &Value, options: &[&str]) -> Outcome {
        self.apply(&object.to_string(), &[&["--server-side", "--validate=strict"], options].concat())
    }

    /// The same for an object that must be taken.
    ///
    /// # Panics
    /// When it is refused.
    pub fn takes(&self, object: &Value, options: &[&str]) {
        let outcome = self.offer(object, options);
        assert!(outcome.is_success(), "{}: {}", title(object), outcome.words());
    }

    /// The same for an object that must be refused: the words of the refusal.
    ///
    /// # Panics
    /// When it is taken.
    pub fn refuses(&self, object: &Value, options: &[&str]) -> String {
        let outcome = self.offer(object, options);
        assert!(!outcome.is_success(), "{} is taken: {object:#}", title(object));
        outcome.refusal()
    }

    /// A kubeconfig that differs from the administrator's. It goes with the cluster.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn kubeconfig_with(&self, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let view = || self.kubectl(&["config", "view", "--raw", "--minify", "--output=json"]).json();
        let mut config = self.config.get_or_init(view).clone();
        change(&mut config);
        let folder = self.cluster.folder().join("kubeconfigs");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// The kubeconfig of somebody who may do nothing but what they are granted.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn kubeconfig_of_user(&self, user: &str) -> PathBuf {
        self.kubeconfig_with(user, |config| config["users"][0]["user"]["as"] = json!(user))
    }

    /// The kubeconfig of a service account, with a token that lives for an hour.
    ///
    /// # Panics
    /// When there is no such account.
    #[must_use]
    pub fn kubeconfig_of_account(&self, namespace: &str, account: &str) -> PathBuf {
        let token = self.told(&["create", "token", account, "--namespace", namespace, "--duration=1h"]);
        self.kubeconfig_with(&format!("{namespace}.{account}"), |config| {
            config["users"][0]["user"] = json!({"token": token.trim()});
        })
    }

    fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.cluster.command();
        command.arg("kubectl").args(arguments);
        command
    }
}

/// `kind/name`, for messages.
fn title(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))
}
