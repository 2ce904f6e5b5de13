//! The way to the cluster that kubectl would talk to.

use std::time::Duration;

use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use super::{args::ClusterArgs, refusal::Refusals, trouble::Trouble};

/// How long a connection may take: a person waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take. Nothing here reads more than a page at a time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A cluster, and where in it.
#[derive(Clone)]
pub struct Connection {
    /// Talks to the API server.
    pub client: Client,
    /// The namespace of the issuer.
    pub namespace: String,
    /// The URL of the API server.
    pub server: String,
    /// What the API server said no to.
    pub refusals: Refusals,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("namespace", &self.namespace)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// The cluster that `args` name. Nothing is sent yet.
    ///
    /// # Errors
    /// When there is none.
    pub async fn open(args: &ClusterArgs) -> Result<Self, Trouble> {
        let mut config = configuration(args).await?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // A person reads what the API server has said, rather than wait for as long as it asks for.
        config.default_retry = false;
        config.read_timeout = Some(ANSWER_TIMEOUT);
        config.reset_reader_on_write = true;
        let namespace = args.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let refusals = Refusals::default();
        let builder = ClientBuilder::try_from(config).map_err(|error| match error {
            kube::Error::Auth(why) => Trouble::NoCredentials { server: server.clone(), why: why.to_string() },
            other => Trouble::Unusable(Box::new(other)),
        })?;
        Ok(Self { client: builder.with_layer(&refusals).build(), namespace, server, refusals })
    }

    /// The reason why `trouble` came about, where the API server gave one that says more.
    #[must_use]
    pub fn explain(&self, trouble: Trouble) -> Trouble {
        match self.refusals.take() {
            Some(refusal) if trouble.is_of_the_cluster() => Trouble::refused(refusal, &self.server),
            _ => trouble,
        }
    }
}

async fn configuration(args: &ClusterArgs) -> Result<Config, Trouble> {
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    let kubeconfig = match &args.kubeconfig {
        Some(path) => Kubeconfig::read_from(path)
            .map_err(|source| Trouble::Kubeconfig { path: path.clone(), source: Box::new(source) })?,
        None => match Kubeconfig::read() {
            Ok(kubeconfig) => kubeconfig,
            // A pod has no kubeconfig, and its service account's credentials instead.
            Err(error) if args.context.is_none() => {
                return Config::incluster().map_err(|_| Trouble::NoKubeconfig(error.to_string()));
            }
            Err(error) => return Err(Trouble::NoKubeconfig(error.to_string())),
        },
    };
    let read = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    read.map_err(|error| match error {
        KubeconfigError::LoadContext(name) => Trouble::NoContext(name),
        KubeconfigError::CurrentContextNotSet => Trouble::NoContext("by default".to_owned()),
        other => Trouble::NoKubeconfig(other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use axum::{Router, http::StatusCode};
    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_api_server_that_asks_for_patience_is_asked_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let patience = Router::new().fallback(async move || {
            count.fetch_add(1, Ordering::SeqCst);
            (StatusCode::SERVICE_UNAVAILABLE, [("Retry-After", "0")])
        });
        drop(tokio::spawn(async move { axum::serve(listener, patience).await }));
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("config");
        let context = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "users": [{"name": "test", "user": {}}],
        });
        std::fs::write(&kubeconfig, context.to_string()).unwrap();
        let args = ClusterArgs { kubeconfig: Some(kubeconfig), ..ClusterArgs::default() };
        let connection = Connection::open(&args).await.unwrap();
        assert!(Api::<Pod>::default_namespaced(connection.client).get("a").await.is_err());
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}
