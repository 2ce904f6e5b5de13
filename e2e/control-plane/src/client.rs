//! The way to an API server for tests that speak to it themselves.

use std::path::Path;

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// Whoever a kubeconfig says, on the runtime of the caller. As in the product, a request that is refused is not repeated
/// unseen.
///
/// # Panics
/// When the kubeconfig cannot be used.
pub async fn client(kubeconfig: &Path) -> Client {
    // An error says that somebody has chosen already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}
