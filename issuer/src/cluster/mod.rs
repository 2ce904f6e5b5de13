//! An issuer in a cluster: what it reads from the API server instead of files.
//!
//! Everything is followed by watch and kept in memory, so that the issuer goes on with what it knows when the API server
//! is away. Nothing in here writes: a pod changes nothing but the status of `VouchUser`s, and that is its store's work.

pub mod collection;
pub mod configuration;
pub mod fault;
pub mod follow;
pub mod signing_keys;
#[cfg(test)]
mod tests;

use std::{sync::Once, time::Duration};

use kube::{Client, Config};

pub use self::{
    collection::Collection,
    configuration::Configuration,
    signing_keys::{RootSecret, SigningKeys},
};

/// How long a connection to the API server may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no way to an API server.
#[derive(Debug, thiserror::Error)]
pub enum NoCluster {
    /// Neither in a pod, nor with a kubeconfig.
    #[error("no cluster is configured; run in a pod with a service account, or set KUBECONFIG")]
    Unknown(#[from] kube::config::InferConfigError),
    /// What is configured cannot be used.
    #[error("the way to the cluster cannot be used; check the certificates and tokens of the kubeconfig")]
    Unusable(#[source] Box<kube::Error>),
}

/// A cluster, and the namespace in which one is at home there.
#[derive(Clone)]
pub struct Cluster {
    /// Talks to the API server.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Cluster {
    /// The cluster this process runs in, or the one `kubectl` would talk to. Nothing is sent yet.
    ///
    /// # Errors
    /// When there is neither.
    pub async fn find(namespace: Option<&str>) -> Result<Self, NoCluster> {
        choose_cryptography();
        Self::connect(Config::infer().await?, namespace)
    }

    /// The cluster of `config`. Nothing is sent yet.
    fn connect(mut config: Config, namespace: Option<&str>) -> Result<Self, NoCluster> {
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // What the library tries again, it tries unseen, for minutes, and after any Retry-After: nobody would know that
        // nothing is seen any more, and a write that was carried out would conflict with itself.
        config.default_retry = false;
        // Pods reach the cluster they are in without one. The library would refuse, and quote the proxy's password.
        config.proxy_url = None;
        let namespace = namespace.map_or_else(|| config.default_namespace.clone(), ToOwned::to_owned);
        let client = Client::try_from(config).map_err(|error| NoCluster::Unusable(Box::new(error)))?;
        Ok(Self { client, namespace })
    }
}

/// The client asks rustls for the process's default.
fn choose_cryptography() {
    static CHOSEN: Once = Once::new();
    CHOSEN.call_once(|| {
        // An error says that the process has chosen already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}
