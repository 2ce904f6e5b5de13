//! The way to the cluster that kubectl would talk to.

use std::time::Duration;

use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use tower::{buffer::BufferLayer, retry::RetryLayer};
use vouch_issuer::{admin::FrontEnd, cluster::CONNECT_TIMEOUT};
use vouch_issuer_api::shown::without_userinfo;

use super::{args::ClusterArgs, patience::Patience, refusal::Refusals, trouble::Trouble};
use crate::{credentials, kubeconfig, proxy};

/// How long an answer may take. Nothing here reads more than a page at a time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests that wait to be sent; a few are made at once, for the metrics of pods.
const IN_LINE: usize = 64;

/// A cluster, and where in it.
#[derive(Clone)]
pub struct Connection {
    /// Talks to the API server.
    pub client: Client,
    /// The namespace of the issuer.
    pub namespace: String,
    /// The URL of the API server, to show.
    pub server: String,
    /// What the API server said no to.
    pub refusals: Refusals,
    /// How a next step is written, so that it leads to the same issuer again.
    pub front_end: FrontEnd,
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
        // It waits for as long as the API server asks for, and a person does not: see `Patience`.
        config.default_retry = false;
        config.read_timeout = Some(ANSWER_TIMEOUT);
        config.reset_reader_on_write = true;
        let namespace = args.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let server = without_userinfo(config.cluster_url.to_string().trim_end_matches('/'));
        let refusals = Refusals::default();
        let builder = ClientBuilder::try_from(config).map_err(|error| match error {
            kube::Error::Auth(why) => Trouble::NoCredentials { server: server.clone(), why: credentials::fault(&why) },
            kube::Error::InferKubeconfig(why) => Trouble::Kubeconfig(kubeconfig::fault(&why, &file(args))),
            other => Trouble::Unusable(Box::new(other)),
        })?;
        let builder = builder.with_layer(&BufferLayer::new(IN_LINE)).with_layer(&RetryLayer::new(Patience::default()));
        let client = builder.with_layer(&refusals).build();
        Ok(Self { client, namespace, server, refusals, front_end: front_end(args) })
    }

    /// The way to another namespace of the same cluster.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        let front_end = self.front_end.clone().with("-n", namespace);
        Self { namespace: namespace.to_owned(), front_end, ..self.clone() }
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

/// What somebody has said about where to act is said again.
fn front_end(args: &ClusterArgs) -> FrontEnd {
    let kubeconfig = args.kubeconfig.as_ref().map(|path| path.to_string_lossy().into_owned());
    let given = [
        ("-n", &args.namespace),
        ("--context", &args.context),
        ("--kubeconfig", &kubeconfig),
        ("--issuer", &args.issuer),
    ];
    let given = given.into_iter().filter_map(|(option, value)| Some((option, value.as_ref()?)));
    given.fold(FrontEnd::kubectl_vouch(), |front_end, (option, value)| front_end.with(option, value))
}

async fn configuration(args: &ClusterArgs) -> Result<Config, Trouble> {
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    let unusable = |error| {
        let why = kubeconfig::fault(&error, &file(args));
        match error {
            KubeconfigError::LoadContext(_) | KubeconfigError::CurrentContextNotSet => Trouble::NoContext(why),
            _ => Trouble::Kubeconfig(why),
        }
    };
    let kubeconfig = match &args.kubeconfig {
        Some(path) => Kubeconfig::read_from(path).map_err(unusable)?,
        None => match Kubeconfig::read() {
            Ok(kubeconfig) => kubeconfig,
            // A pod has no kubeconfig, and its service account's credentials instead.
            Err(error) if args.context.is_none() => return Config::incluster().map_err(|_| unusable(error)),
            Err(error) => return Err(unusable(error)),
        },
    };
    let mut config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await.map_err(unusable)?;
    proxy::choose(&mut config, &kubeconfig, args.context.as_deref()).map_err(unusable)?;
    Ok(config)
}

/// The kubeconfig that is read.
fn file(args: &ClusterArgs) -> String {
    args.kubeconfig.as_ref().map_or_else(kubeconfig::usual, |path| path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use axum::{Json, Router, http::StatusCode};
    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::{
        kubeconfig::tests::{ALERT, saying},
        plugin::refusal::Refusal,
    };

    /// The way that a kubeconfig describes.
    async fn connection(server: &str) -> Connection {
        open(json!({"server": server})).await.unwrap()
    }

    async fn open(cluster: serde_json::Value) -> Result<Connection, Trouble> {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("config");
        let context = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "users": [{"name": "test", "user": {}}],
        });
        std::fs::write(&kubeconfig, context.to_string()).unwrap();
        Connection::open(&ClusterArgs { kubeconfig: Some(kubeconfig), ..ClusterArgs::default() }).await
    }

    #[tokio::test]
    async fn a_password_in_the_url_of_a_proxy_is_not_shown() {
        let cluster = json!({"server": "https://192.0.2.2:6443", "proxy-url": "ftp://alice:secret@192.0.2.1:3128"});
        let told = open(cluster).await.unwrap_err().to_string();
        assert!(told.contains("ftp://…@192.0.2.1:3128, and a proxy begins with http://"), "{told}");
        assert!(!told.contains("alice") && !told.contains("secret"), "{told}");
    }

    #[tokio::test]
    async fn the_proxy_of_a_kubeconfig_is_asked_for_the_way_with_its_password() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://alice:secret@{}", listener.local_addr().unwrap());
        let connection = open(json!({"server": "https://192.0.2.2:6443", "proxy-url": proxy})).await.unwrap();
        let asked = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = String::new();
            while !asked.ends_with("\r\n\r\n") {
                asked.push(char::from(stream.read_u8().await.unwrap()));
            }
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await.unwrap();
            asked.to_lowercase()
        };
        let (asked, answer) = tokio::join!(asked, connection.client.apiserver_version());
        assert!(asked.starts_with("connect 192.0.2.2:6443 http/1.1\r\n"), "{asked}");
        assert!(asked.contains("proxy-authorization: basic ywxpy2u6c2vjcmv0\r\n"), "{asked}");
        let told = connection.explain(Trouble::api("the version", answer.unwrap_err())).to_string();
        assert!(
            told.contains("the proxy opens no way to it (unsuccessful): see proxy-url in the kubeconfig"),
            "{told}"
        );
        assert!(!told.contains("secret"), "{told}");
    }

    #[tokio::test]
    async fn a_proxy_that_cannot_be_reached_or_speaks_no_tls_is_told_of_as_the_proxy() {
        let without_tls = format!("https://{}", saying(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        for (proxy, why) in [("http://127.0.0.1:1", "refused"), ("socks5://127.0.0.1:1", ""), (&without_tls, "")] {
            let connection = open(json!({"server": "https://192.0.2.2:6443", "proxy-url": proxy})).await.unwrap();
            let error = connection.client.apiserver_version().await.unwrap_err();
            let told = connection.explain(Trouble::api("the version", error)).to_string();
            assert!(told.contains("cannot be reached: the proxy opens no way to it (") && told.contains(why), "{told}");
            assert!(!told.contains("answers without TLS"), "{told}");
        }
    }

    #[tokio::test]
    async fn a_server_that_answers_no_http_is_told_by_what_its_url_begins_with() {
        let server = format!("http://{}", saying(ALERT).await);
        let connection = connection(&server).await;
        let error = connection.client.apiserver_version().await.unwrap_err();
        let told = connection.explain(Trouble::api("the version", error)).to_string();
        assert!(
            told.contains(&server) && told.contains("begin the cluster's server in the kubeconfig with https://"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn a_password_in_the_url_of_the_api_server_is_not_shown() {
        let connection = connection("https://alice:secret@192.0.2.1:6443").await;
        assert_eq!(connection.server, "https://…@192.0.2.1:6443");
    }

    /// A pod, as `kubectl vouch` reads it of an API server that asks for `after` seconds of patience before it answers for
    /// the third time; and how often it was asked.
    async fn asked(after: &'static str) -> (Result<Pod, kube::Error>, Option<Refusal>, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let status =
            json!({"kind": "Status", "status": "Failure", "code": 429, "message": "storage is (re)initializing"});
        let starting = Router::new().fallback(async move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => (StatusCode::TOO_MANY_REQUESTS, [("Retry-After", after)], Json(status)),
            1 => (StatusCode::SERVICE_UNAVAILABLE, [("Retry-After", after)], Json(status)),
            _ => (StatusCode::OK, [("Retry-After", "0")], Json(json!({"metadata": {"name": "a"}}))),
        });
        drop(tokio::spawn(async move { axum::serve(listener, starting).await }));
        let connection = connection(&server).await;
        let pod = Api::<Pod>::default_namespaced(connection.client.clone()).get("a").await;
        (pod, connection.refusals.take(), asked.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn an_api_server_that_asks_for_a_moment_of_patience_is_asked_again() {
        let (pod, refusal, times) = asked("1").await;
        assert_eq!((pod.unwrap().metadata.name.as_deref(), refusal, times), (Some("a"), None, 3));
    }

    #[tokio::test]
    async fn an_api_server_that_asks_for_more_than_that_is_asked_once() {
        let (pod, _, times) = asked("60").await;
        assert!(matches!(pod, Err(kube::Error::Api(status)) if status.code == 429));
        assert_eq!(times, 1);
    }

    #[test]
    fn a_next_step_leads_to_the_same_place() {
        let args = ClusterArgs {
            namespace: Some("vouch".to_owned()),
            kubeconfig: Some("/home/alice/my clusters".into()),
            ..ClusterArgs::default()
        };
        let expected = "kubectl vouch keys -n vouch --kubeconfig '/home/alice/my clusters'";
        assert_eq!(front_end(&args).command("keys"), expected);
        assert_eq!(front_end(&ClusterArgs::default()).command("keys"), "kubectl vouch keys");
    }
}
