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

/// Whether this error says that a cluster's `server` has the wrong scheme in the kubeconfig: a clause about that server, without
/// a full stop, that says what to change. It looks at no cause of the error.
#[must_use]
pub fn scheme_fault(error: &(dyn Error + 'static)) -> Option<&'static str> {
    use rustls::{Error::InvalidMessage, InvalidMessage::InvalidContentType};
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) if wants_tls(status) => return Some(WANTS_TLS),
        _ => {}
    }
    if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
        return Some(SPEAKS_NO_HTTP);
    }
    let mut inside = iter::successors(error.downcast_ref::<io::Error>(), |error| error.get_ref()?.downcast_ref());
    let has_no_tls = |error: &io::Error| {
        let tls = error.get_ref().and_then(|inside| inside.downcast_ref());
        matches!(tls, Some(InvalidMessage(InvalidContentType)))
    };
    inside.any(has_no_tls).then_some(HAS_NO_TLS)
}

/// How servers that take nothing but TLS answer to a request without: those in Go, as the API server is, and nginx.
fn wants_tls(status: &Status) -> bool {
    let words = ["Client sent an HTTP request to an HTTPS server", "The plain HTTP request was sent to HTTPS port"];
    status.code == 400 && words.iter().any(|words| status.message.contains(words))
}

/// The same of an answer that nobody has read: an API server says no word in a header of this one alone.
#[must_use]
pub fn scheme_fault_of<B>(answer: &Response<B>) -> Option<&'static str> {
    let is_bare = answer.status() == StatusCode::BAD_REQUEST && answer.headers().is_empty();
    is_bare.then_some(WANTS_TLS)
}

const WANTS_TLS: &str =
    "it takes nothing but TLS, and the kubeconfig has http:// for it: begin the cluster's server there with https://";
const SPEAKS_NO_HTTP: &str = "it does not answer in HTTP: if it takes nothing but TLS, begin the cluster's server in the kubeconfig with https://";
const HAS_NO_TLS: &str = "it answers without TLS, and the kubeconfig has https:// for it: name the port that speaks TLS in \
                          the cluster's server there, or begin that with http://, as for kubectl proxy";

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use std::net::SocketAddr;

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
        let expected = format!("the API server cannot be reached: {HAS_NO_TLS}");
        assert_eq!(told("https", address).await, expected);
        let of_go = saying(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request").await;
        assert_eq!(told("https", of_go).await, expected);
    }

    #[tokio::test]
    async fn a_server_with_tls_that_the_kubeconfig_has_with_http_is_told_in_a_sentence() {
        let expected = format!("the API server cannot be reached: {WANTS_TLS}");
        assert_eq!(told("http", saying(OF_GO_WITHOUT_TLS).await).await, expected);
        // unexpected_message, fatal (RFC 8446 §6).
        let expected = format!("the API server cannot be reached: {SPEAKS_NO_HTTP}");
        assert_eq!(told("http", saying(&[0x15, 3, 3, 0, 2, 2, 10]).await).await, expected);
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
