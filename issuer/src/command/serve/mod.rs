//! `serve`: puts the issuer together, runs it, and ends it.

mod alone;
mod cluster;

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use serde::Serialize;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};
use vouch_crds::duration::Duration;

use super::{Failure, Files, address, env};
use crate::{
    admin::FrontEnd,
    http::{
        server::{Server, ServerOptions},
        tls::TlsFiles,
    },
    keys::maintain,
    memory,
    state::SharedIssuer,
};

/// How often callers with a full budget are forgotten.
const SWEEP_INTERVAL: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    files: Files,
    /// Run in a cluster, as this VouchIssuer: configuration, people and keys are objects there, and take the place of
    /// manifest and database
    #[arg(long, env = env::ISSUER, conflicts_with_all = ["config", "data_dir"], value_name = "NAME")]
    issuer: Option<String>,
    /// The namespace of the VouchIssuer [default: the pod's own, or the one of the kubeconfig]
    #[arg(long, env = env::NAMESPACE, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// The public listener; port 0 takes any free one
    #[arg(long, env = env::LISTEN, default_value = "0.0.0.0:8443", value_parser = address, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The private listener: /livez, /readyz and /metrics, over plain HTTP
    #[arg(long, env = env::PRIVATE_LISTEN, default_value = "127.0.0.1:9090", value_parser = address, value_name = "ADDRESS")]
    private_listen: SocketAddr,
    /// The certificate chain in PEM; read again when it changes. Without it a proxy in front terminates TLS
    #[arg(long, env = env::TLS_CERT, requires = "tls_key", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate in PEM; read again when it changes
    #[arg(long, env = env::TLS_KEY, requires = "tls_cert", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Write the actual addresses to this file as JSON, once both listeners accept
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// How long to go on accepting connections after being told to stop, until load balancers have noticed
    #[arg(long, value_name = "DURATION")]
    drain_delay: Option<Duration>,
    /// How long requests in flight may take after that
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    drain_timeout: Duration,
}

impl ServeArgs {
    fn options(&self) -> ServerOptions {
        let files = self.tls_cert.clone().zip(self.tls_key.clone());
        ServerOptions {
            listen: self.listen,
            private_listen: self.private_listen,
            tls: files.map(|(certificate, key)| TlsFiles { certificate, key }),
            drain_delay: self.drain_delay.map_or(std::time::Duration::ZERO, Into::into),
            drain_timeout: self.drain_timeout.into(),
        }
    }
}

/// The addresses that were really taken.
#[derive(Debug, Serialize)]
struct Ready {
    public: SocketAddr,
    private: SocketAddr,
}

/// The ready file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the ready file {} cannot be written", path.display())]
struct ReadyFileError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

/// Runs the issuer until it is told to stop.
pub(super) async fn serve(args: &ServeArgs) -> Result<(), Failure> {
    memory::keep_private();
    let signals = Signals::listen()?;
    match &args.issuer {
        Some(name) => cluster::serve(args, name, signals).await,
        None => alone::serve(args, signals).await,
    }
}

/// What every issuer does beside answering.
fn background(issuer: &SharedIssuer, front_end: FrontEnd) -> Vec<JoinHandle<()>> {
    vec![
        tokio::spawn(maintain(SharedIssuer::clone(issuer), front_end)),
        tokio::spawn(sweep(SharedIssuer::clone(issuer))),
    ]
}

/// Ends everything in order.
async fn stop(server: Server, background: &[JoinHandle<()>]) {
    tracing::info!("draining");
    tokio::select! {
        () = server.drain() => {}
        () = Signals::again() => tracing::warn!("told to stop twice: requests in flight are cut off"),
    }
    background.iter().for_each(JoinHandle::abort);
}

fn announce(args: &ServeArgs, server: &Server) -> Result<(), Failure> {
    let ready = Ready { public: server.public_address(), private: server.private_address() };
    let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{} (public) and http://{} (private)", ready.public, ready.private);
    let Some(path) = &args.ready_file else { return Ok(()) };
    // Renamed into place, so that whoever waits for the file never reads half of it.
    let draft = path.with_extension("draft");
    let written = std::fs::write(&draft, serde_json::to_vec(&ready)?).and_then(|()| std::fs::rename(&draft, path));
    written.map_err(|source| ReadyFileError { path: path.clone(), source })?;
    Ok(())
}

async fn sweep(issuer: SharedIssuer) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        issuer.limits.sweep();
    }
}

/// What the operating system tells the process.
struct Signals {
    reload: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            reload: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Calls `reload` whenever it is told to, and returns when it is told to stop.
    async fn follow(&mut self, mut reload: impl AsyncFnMut()) {
        loop {
            tokio::select! {
                _ = self.reload.recv() => reload().await,
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
            }
        }
    }

    async fn again() {
        if let Ok(mut signals) = Self::listen() {
            tokio::select! {
                _ = signals.terminate.recv() => {}
                _ = signals.interrupt.recv() => {}
            }
        }
    }
}
