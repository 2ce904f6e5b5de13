//! What is wrong with a kubeconfig, in words for people. Those of the library are for programmers, and do not name the file.

use std::{env, error::Error, ffi::OsString, io, iter};

use http::{Response, StatusCode};
use kube::{
    config::{KubeconfigError, LoadDataError},
    core::Status,
};

/// The variable that names kubeconfigs, of kubectl and of every client of Kubernetes.
const KUBECONFIG: &str = "KUBECONFIG";
/// The variable that Kubernetes sets in every container.
const IN_A_POD: &str = "KUBERNETES_SERVICE_HOST";

/// The kubeconfig that is read unless another is named; those, when the variable lists several.
#[must_use]
pub fn usual() -> String {
    named().map_or_else(|| "~/.kube/config".to_owned(), |named| named.to_string_lossy().into_owned())
}

fn named() -> Option<OsString> {
    env::var_os(KUBECONFIG).filter(|named| !named.is_empty())
}

/// Whether this process runs in a pod that is to use the token of its service account.
#[must_use]
pub fn is_for_a_token() -> bool {
    env::var_os(IN_A_POD).is_some() && named().is_none()
}

/// Why the kubeconfig `file` cannot be used: a clause without a full stop.
#[must_use]
pub fn fault(error: &KubeconfigError, file: &str) -> String {
    let of_the_cluster = |what: &str, error: &LoadDataError| {
        format!("the {what} that the kubeconfig {file} names cannot be used: {}", unloaded(error))
    };
    match error {
        KubeconfigError::ReadConfig(error, path) => {
            format!("the kubeconfig {} cannot be read: {error}", path.display())
        }
        KubeconfigError::Parse(error) => format!("{file} is no kubeconfig: {}", first_line(&error.to_string())),
        KubeconfigError::CurrentContextNotSet => format!("the kubeconfig {file} has no current context"),
        KubeconfigError::LoadContext(name) => format!("the kubeconfig {file} has no context {name}"),
        KubeconfigError::LoadClusterOfContext(name) => {
            format!("the context is about the cluster {name}, which the kubeconfig {file} does not have")
        }
        KubeconfigError::MissingClusterUrl => format!("the cluster has no server in the kubeconfig {file}"),
        KubeconfigError::ParseClusterUrl(error) => {
            format!("the cluster's server in the kubeconfig {file} is no URL: {error}")
        }
        KubeconfigError::LoadCertificateAuthority(error) => of_the_cluster("certificate authority", error),
        KubeconfigError::LoadClientCertificate(error) => of_the_cluster("client certificate", error),
        KubeconfigError::LoadClientKey(error) => of_the_cluster("client key", error),
        KubeconfigError::ParseProxyUrl(error) => {
            format!("the proxy is no URL ({error}): correct proxy-url in the kubeconfig {file}, or HTTPS_PROXY")
        }
        KubeconfigError::ParseNoProxy(error) => format!("NO_PROXY cannot be read: {error}"),
        other => format!("the kubeconfig {file} cannot be used: {other}"),
    }
}

fn unloaded(error: &LoadDataError) -> String {
    match error {
        LoadDataError::ReadFile(error, path) => format!("{}: {error}", path.display()),
        LoadDataError::DecodeBase64(error) => format!("it is not base64: {error}"),
        LoadDataError::NoBase64DataOrFile => "it is empty".to_owned(),
    }
}

/// Below the first line, the parser of YAML draws the place.
fn first_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line)
}

/// What is wrong with the URL of a server, as the server's answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerFault {
    /// It has `http://`, and the server takes nothing but TLS.
    WantsTls,
    /// It has `https://`, and the server answers without TLS.
    HasNoTls,
    /// What answers there is no server of HTTP, or one with TLS that says so in TLS alone.
    SpeaksNoHttp,
}

/// Who names the URL of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// Kubernetes, to a pod; always with `https://`.
    Kubernetes,
    /// A kubeconfig.
    Kubeconfig {
        /// Whether with `http://`.
        without_tls: bool,
    },
}

impl NamedBy {
    /// Who names it to this process, which does not know the URL.
    #[must_use]
    pub fn usual() -> Self {
        if is_for_a_token() { Self::Kubernetes } else { Self::Kubeconfig { without_tls: false } }
    }

    /// The kubeconfig that has the URL `server`.
    #[must_use]
    pub fn kubeconfig_with(server: &str) -> Self {
        Self::Kubeconfig { without_tls: server.starts_with("http://") }
    }
}

impl ServerFault {
    /// What this error shows of the URL of the server that was asked. It looks at no cause of the error.
    #[must_use]
    pub fn shown_by(error: &(dyn Error + 'static)) -> Option<Self> {
        use rustls::{Error::InvalidMessage, InvalidMessage::InvalidContentType};
        match error.downcast_ref::<kube::Error>() {
            Some(kube::Error::Api(status)) if wants_tls(status) => return Some(Self::WantsTls),
            _ => {}
        }
        // Headers that are too large are HTTP.
        let is_no_http = |error: &hyper::Error| error.is_parse() && !error.is_parse_too_large();
        if error.downcast_ref().is_some_and(is_no_http) {
            return Some(Self::SpeaksNoHttp);
        }
        let mut inside = iter::successors(error.downcast_ref::<io::Error>(), |error| error.get_ref()?.downcast_ref());
        let has_no_tls = |error: &io::Error| {
            let tls = error.get_ref().and_then(|inside| inside.downcast_ref());
            matches!(tls, Some(InvalidMessage(InvalidContentType)))
        };
        inside.any(has_no_tls).then_some(Self::HasNoTls)
    }

    /// The same of an answer that nobody has read: an API server says no word in a header of this one alone.
    #[must_use]
    pub fn shown_by_answer<B>(answer: &Response<B>) -> Option<Self> {
        let is_bare = answer.status() == StatusCode::BAD_REQUEST && answer.headers().is_empty();
        is_bare.then_some(Self::WantsTls)
    }

    /// A clause about the server, without a full stop, that says what to change.
    #[must_use]
    pub const fn told(self, named_by: NamedBy) -> &'static str {
        match (self, named_by) {
            (Self::WantsTls, NamedBy::Kubeconfig { .. }) => {
                "it takes nothing but TLS, and the kubeconfig has http:// for it: begin the cluster's server there with https://"
            }
            (Self::HasNoTls, NamedBy::Kubeconfig { .. }) => {
                "it answers without TLS, and the kubeconfig has https:// for it: name the port that speaks TLS in the \
                 cluster's server there, or begin that with http://, as for kubectl proxy"
            }
            (Self::SpeaksNoHttp, NamedBy::Kubeconfig { without_tls: true }) => {
                "it does not answer in HTTP: if it takes nothing but TLS, begin the cluster's server in the kubeconfig with https://"
            }
            (Self::WantsTls, NamedBy::Kubernetes) => "it takes nothing but TLS, and was asked without",
            (Self::HasNoTls, NamedBy::Kubernetes) => "it answers without TLS; look at the server's address and port",
            (Self::SpeaksNoHttp, _) => "it does not answer in HTTP; look at the server's address and port",
        }
    }
}

/// How servers that take nothing but TLS answer to a request without: those in Go, as the API server is, and nginx.
fn wants_tls(status: &Status) -> bool {
    let words = ["Client sent an HTTP request to an HTTPS server", "The plain HTTP request was sent to HTTPS port"];
    status.code == 400 && words.iter().any(|words| status.message.contains(words))
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use std::{net::SocketAddr, sync::LazyLock};

    use axum::Router;
    use kube::{Client, Config, config::Kubeconfig};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::failure;

    /// What the operator says of the server at an address that a kubeconfig has with a scheme.
    async fn told(scheme: &str, address: SocketAddr) -> String {
        let config = Config::new(format!("{scheme}://{address}").parse().unwrap());
        failure::chain(&Client::try_from(config).unwrap().apiserver_version().await.unwrap_err())
    }

    fn out_of_reach(fault: ServerFault) -> String {
        format!("the API server cannot be reached: {}", fault.told(NamedBy::Kubeconfig { without_tls: false }))
    }

    /// What an API server says to whoever speaks to it without TLS.
    pub(crate) const OF_GO_WITHOUT_TLS: &[u8] =
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

    /// A server that says `answer` to whoever asks, and hangs up.
    pub(crate) async fn saying(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
                stream.write_all(answer).await.unwrap();
            }
        }));
        address
    }

    #[tokio::test]
    async fn a_server_without_tls_that_the_kubeconfig_has_with_https_is_told_in_a_sentence() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(tokio::spawn(async move { axum::serve(listener, Router::new()).await }));
        assert_eq!(told("https", address).await, out_of_reach(ServerFault::HasNoTls));
        let of_go = saying(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request").await;
        assert_eq!(told("https", of_go).await, out_of_reach(ServerFault::HasNoTls));
    }

    /// unexpected_message, fatal (RFC 8446 §6): what a server with TLS says to whoever speaks to it without, unless it helps.
    pub(crate) const ALERT: &[u8] = &[0x15, 3, 3, 0, 2, 2, 10];

    #[tokio::test]
    async fn a_server_with_tls_that_the_kubeconfig_has_with_http_is_told_in_a_sentence() {
        assert_eq!(told("http", saying(OF_GO_WITHOUT_TLS).await).await, out_of_reach(ServerFault::WantsTls));
        assert_eq!(told("http", saying(ALERT).await).await, out_of_reach(ServerFault::SpeaksNoHttp));
    }

    #[tokio::test]
    async fn a_server_whose_headers_are_too_large_does_answer_in_http() {
        static ANSWER: LazyLock<Vec<u8>> =
            LazyLock::new(|| [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 1 << 20]].concat());
        let told = told("http", saying(&ANSWER).await).await;
        assert!(told.ends_with("message head is too large"), "{told}");
    }

    #[test]
    fn a_scheme_is_advised_where_the_url_has_the_other_alone() {
        let of = |server: &str| ServerFault::SpeaksNoHttp.told(NamedBy::kubeconfig_with(server));
        assert!(of("http://192.0.2.1:6443").ends_with("begin the cluster's server in the kubeconfig with https://"));
        assert_eq!(of("https://192.0.2.1:6443"), "it does not answer in HTTP; look at the server's address and port");
    }

    #[test]
    fn a_pod_is_told_of_no_kubeconfig() {
        for fault in [ServerFault::WantsTls, ServerFault::HasNoTls, ServerFault::SpeaksNoHttp] {
            let told = fault.told(NamedBy::Kubernetes);
            assert!(!told.contains("kubeconfig") && !told.contains("http"), "{told}");
        }
    }

    #[test]
    fn a_file_that_is_no_kubeconfig_is_told_on_one_line_with_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, "not: [yaml\n").unwrap();
        let told = fault(&Kubeconfig::read_from(&file).unwrap_err(), "/home/alice/config");
        assert_eq!(told, "/home/alice/config is no kubeconfig: line 1 column 6: unclosed bracket '['");
    }

    #[test]
    fn a_file_that_a_kubeconfig_names_is_named_once() {
        let missing = std::io::Error::other("gone");
        let error = KubeconfigError::LoadClientKey(LoadDataError::ReadFile(missing, "/home/alice/key".into()));
        let told = fault(&error, "config");
        assert_eq!(told, "the client key that the kubeconfig config names cannot be used: /home/alice/key: gone");
    }
}
