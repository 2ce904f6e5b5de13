//! One API server for the run, and a namespace for everybody who asks.

use std::sync::OnceLock;

use uuid::Uuid;
use vouch_control_plane::{ControlPlane, client};
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
        Cluster { client: client(control_plane().kubeconfig()).await, namespace: self.name.clone() }
    }
}
