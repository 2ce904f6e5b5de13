//! The product in a real Kubernetes: a cluster, the chart with the images, and organisations that live in namespaces.
//!
//! The host reaches pods and Services by their addresses, so that people, AWS and their harness are the same as with an
//! issuer that runs alone; only what answers under the issuer's name is different.

pub mod api;
pub mod audit;
pub mod cluster;
pub mod helm;
pub mod images;
pub mod load;
pub mod pod;
pub mod session;
pub mod site;

use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;
use vouch_crds::names;

use self::{
    cluster::Cluster,
    helm::{Chart, Release},
    images::Images,
};

/// The namespace of the operator.
pub const OPERATORS: &str = "vouch-system";
/// Its service account, as the audit log names it.
pub const OPERATOR: &str = "system:serviceaccount:vouch-system:vouch-operator";

/// By which the operators elect the one that acts, as `get` is asked for it.
pub const LEASE: [&str; 4] = ["--namespace", OPERATORS, "lease", names::LEASE];

/// How many nodes: one more than may be missing while a majority of pods serves.
pub const NODES: u32 = 3;

/// The pod of the operator that holds the lease; empty when none does.
#[must_use]
pub fn holder(lease: &Value) -> &str {
    let identity = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
    identity.rsplit_once('_').map_or("", |(pod, _)| pod)
}

/// The cluster of a run of tests, with the chart installed for every namespace.
#[derive(Debug)]
pub struct Installation {
    /// The cluster.
    pub cluster: Cluster,
    /// What Helm has installed.
    pub release: Release,
}

impl Installation {
    /// A cluster with the chart, which scenarios share: it ends with this process.
    fn shared() -> &'static Self {
        static INSTALLATION: OnceLock<Installation> = OnceLock::new();
        INSTALLATION.get_or_init(|| Self::new(&Images::find()))
    }

    /// Starts a cluster and installs the chart.
    #[must_use]
    pub fn new(images: &Images) -> Self {
        let cluster = Cluster::start(NODES, images);
        let release = Release::new(&cluster, OPERATORS);
        release.install(&Chart::present(), &["--set=scope=Cluster"]);
        Self { cluster, release }
    }
}

/// Whoever only looks at their own namespace shares the cluster; whoever breaks something has it alone.
static PEACE: RwLock<()> = RwLock::new(());

/// The cluster, together with other scenarios.
#[derive(Debug)]
pub struct Together {
    _peace: RwLockReadGuard<'static, ()>,
}

/// The cluster, and nobody else in it.
#[derive(Debug)]
pub struct Alone {
    _peace: RwLockWriteGuard<'static, ()>,
}

/// Waits until nothing is being broken, and keeps it so.
#[must_use]
pub fn together() -> (&'static Installation, Together) {
    let peace = PEACE.read().unwrap_or_else(PoisonError::into_inner);
    (Installation::shared(), Together { _peace: peace })
}

/// Waits until nobody else uses the cluster.
#[must_use]
pub fn alone() -> (&'static Installation, Alone) {
    let peace = PEACE.write().unwrap_or_else(PoisonError::into_inner);
    (Installation::shared(), Alone { _peace: peace })
}
