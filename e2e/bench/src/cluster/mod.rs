//! A real control plane for the rows about Kubernetes: an API server with its controllers, and no nodes.
//!
//! The rows of a run share one, and the people that were made for the first of them, because fifty thousand people take
//! minutes to make. Programs under measurement are processes of this machine that talk to it by a kubeconfig, as pods do
//! by their service accounts.

pub mod controller;
pub mod namespace;
pub mod operator;

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use kube::Client;
use tokio::runtime::Runtime;
use vouch_control_plane::{ControlPlane, Outcome, client};

pub use self::namespace::Namespace;
use crate::BenchError;

/// Names the program that makes control planes.
const PROGRAM: &str = "VOUCH_CLUSTER";

static SHARED: Mutex<Option<Arc<World>>> = Mutex::new(None);

/// A control plane, and the namespaces that were made in it.
pub struct World {
    namespaces: Mutex<BTreeMap<u32, Arc<Namespace>>>,
    client: Client,
    runtime: Runtime,
    control_plane: ControlPlane,
}

/// The control plane of this run. The first row that asks starts it.
///
/// # Errors
/// [`BenchError::Missing`] when there is no program to start it with, and says what to run.
pub fn shared() -> Result<Arc<World>, BenchError> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(world) = &*shared {
        return Ok(Arc::clone(world));
    }
    let world = Arc::new(World::start()?);
    *shared = Some(Arc::clone(&world));
    Ok(world)
}

/// Takes the control plane down, if any row has started one.
pub fn end() {
    *SHARED.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

impl World {
    fn start() -> Result<Self, BenchError> {
        if !env::var_os(PROGRAM).is_some_and(|path| Path::new(&path).is_file()) {
            let missing = "VOUCH_CLUSTER names no program that starts a control plane; run: make bench, or build one with: \
                           make cluster, and: export VOUCH_CLUSTER=~/.cache/vouch/cluster/current/cluster";
            return Err(BenchError::Missing(missing.to_owned()));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(BenchError::failed("starting a runtime"))?;
        let control_plane = ControlPlane::start();
        control_plane.install_definitions();
        let client = runtime.block_on(client(control_plane.kubeconfig()));
        Ok(Self { namespaces: Mutex::default(), client, runtime, control_plane })
    }

    /// A namespace with an issuer and so many people, whom nobody but this run knows. It is made once.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn namespace(&self, people: u32) -> Result<Arc<Namespace>, BenchError> {
        let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(namespace) = namespaces.get(&people) {
            return Ok(Arc::clone(namespace));
        }
        let namespace = Arc::new(Namespace::make(self, people)?);
        namespaces.insert(people, Arc::clone(&namespace));
        Ok(namespace)
    }

    /// For what programs under measurement find the API server by: `KUBECONFIG`.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.control_plane.kubeconfig().to_owned()
    }

    /// Does something with the API server, to its end.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Begins something with the API server.
    pub fn begin<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(work)
    }
}

/// Insists on a command of `kubectl`.
fn done(what: &'static str, outcome: &Outcome) -> Result<(), BenchError> {
    match outcome.is_success() {
        true => Ok(()),
        false => Err(BenchError::Subject { what, reason: outcome.words().to_owned() }),
    }
}
