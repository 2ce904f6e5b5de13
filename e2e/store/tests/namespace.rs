//! One API server for the run, and a namespace for everybody who asks.

use uuid::Uuid;
use vouch_control_plane::{ControlPlane, client};
use vouch_issuer::cluster::Cluster;

/// A namespace of its own, empty at first.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let name = format!("test-{}", Uuid::new_v4());
        ControlPlane::shared().told(&["create", "namespace", &name]);
        Self { name }
    }

    /// The way to it, for the runtime of the caller.
    pub(crate) async fn cluster(&self) -> Cluster {
        Cluster { client: client(ControlPlane::shared().kubeconfig()).await, namespace: self.name.clone() }
    }
}
