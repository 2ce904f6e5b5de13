//! What is wrong with a kubeconfig, in words for people. Those of the library are for programmers, and do not name the file.

use std::{env, ffi::OsString};

use kube::config::{KubeconfigError, LoadDataError};

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use kube::config::Kubeconfig;

    use super::*;

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
