//! One API server for the run, and a namespace for everybody who asks.

use std::sync::OnceLock;

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use uuid::Uuid;
use vouch_control_plane::ControlPlane;
use vouch_issuer::cluster::Cluster;

fn control_plane() -> &'static ControlPlane {
    static CONTROL_PLANE: OnceLock<ControlPlane> = OnceLock::new();
    CONTROL_PLANE.get_or_init(|| {
        let control_plane = ControlPlane::start();
        control_plane.install_definitions();
        control_plane
    })
}

/// A namespace of its own, empty at first.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let name = format!("test-{}", Uuid::new_v4());
        control_plane().told(&["create", "namespace", &name]);
        Self { name }
    }

    /// The way to it, for the runtime of the caller.
    pub(crate) async fn cluster(&self) -> Cluster {
        // An error says that another test of this process has chosen already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let kubeconfig = Kubeconfig::read_from(control_plane().kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Cluster { client: Client::try_from(config).unwrap(), namespace: self.name.clone() }
    }
}
