//! One API server for the run, and a namespace for everybody who asks.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use uuid::Uuid;
use vouch_issuer::cluster::Cluster;

/// A control plane without nodes. It ends with this process, however that ends.
struct ApiServer {
    program: PathBuf,
    folder: String,
    kubeconfig: PathBuf,
}

impl ApiServer {
    fn shared() -> &'static Self {
        static SERVER: OnceLock<ApiServer> = OnceLock::new();
        SERVER.get_or_init(Self::up)
    }

    fn up() -> Self {
        let program = PathBuf::from(
            std::env::var_os("VOUCH_CLUSTER")
                .expect("VOUCH_CLUSTER is unset; run `make test`, or `make cluster` and set it"),
        );
        let output = Command::new(&program)
            .args(["up", "-nodes", "0", "-owner-pid", &std::process::id().to_string()])
            .env_remove("CLUSTER_DIR")
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the cluster does not start");
        let exports = String::from_utf8(output.stdout).unwrap();
        let value = |name: &str| {
            let line = exports.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
            line.unwrap_or_else(|| panic!("no {name} in: {exports}")).trim_matches(['"', '\'']).to_owned()
        };
        let server = Self { program, folder: value("CLUSTER_DIR"), kubeconfig: value("KUBECONFIG").into() };
        let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds/yaml");
        server.kubectl(&["apply", "--filename", definitions.to_str().unwrap()]);
        server.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "customresourcedefinitions", "--all"]);
        server
    }

    fn kubectl(&self, arguments: &[&str]) {
        let mut command = Command::new(&self.program);
        command.arg("kubectl").args(arguments).env("CLUSTER_DIR", &self.folder).env("KUBECONFIG", &self.kubeconfig);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A namespace of its own, empty at first.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let name = format!("test-{}", Uuid::new_v4());
        ApiServer::shared().kubectl(&["create", "namespace", &name]);
        Self { name }
    }

    /// The way to it, for the runtime of the caller.
    pub(crate) async fn cluster(&self) -> Cluster {
        // An error says that another test of this process has chosen already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let kubeconfig = Kubeconfig::read_from(&ApiServer::shared().kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Cluster { client: Client::try_from(config).unwrap(), namespace: self.name.clone() }
    }
}
