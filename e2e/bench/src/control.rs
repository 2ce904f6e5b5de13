//! The control: the same bytes from a server that does nothing else, in a process of its own as the issuer is.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
};

use axum::{Router, http::header, routing::get};
use axum_server::tls_rustls::RustlsConfig;

use crate::{
    BenchError,
    process::{Background, program, tied},
    tls::Certificate,
};

/// The only path it serves.
pub const PATH: &str = "/.well-known/jwks.json";

/// A running control.
#[derive(Debug)]
pub struct Control {
    process: Background,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Control {
    /// Starts one that serves `body`, over TLS when there is a certificate.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(body: &Path, tls: Option<&Certificate>) -> Result<Self, BenchError> {
        let (mut own, theirs) = io::pipe()
            .map(|(own, theirs)| (BufReader::new(own), theirs))
            .map_err(BenchError::failed("making a pipe"))?;
        let mut command = tied(program("static-control")?);
        command.arg(body).stdin(Stdio::null()).stdout(theirs);
        if let Some(tls) = tls {
            command.arg(&tls.certificate).arg(&tls.key);
        }
        let process = Background::start(&mut command)?;
        // Its end of the pipe: a control that fails ends the stream.
        drop(command);
        let mut line = String::new();
        own.read_line(&mut line).map_err(BenchError::failed("starting the control"))?;
        let address = line.trim().parse().map_err(BenchError::failed("starting the control"))?;
        Ok(Self { process, address })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// The control itself. Arguments: the file with the body, then certificate and key for TLS. It prints where it
/// listens.
///
/// # Errors
/// When a file cannot be read or there is no port.
pub fn serve(mut arguments: impl Iterator<Item = PathBuf>) -> io::Result<()> {
    let body = arguments.next().ok_or_else(|| io::Error::other("which file is to be served?"))?;
    let body = axum::body::Bytes::from(std::fs::read(body)?);
    let tls = arguments.next().zip(arguments.next());
    // The headers of a static document that verifiers may cache.
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::ETAG, "\"0123456789abcdefghijkl\""),
        (header::CACHE_CONTROL, "public, max-age=60"),
    ];
    let router = Router::new().route(PATH, get(move || async move { (headers, body.clone()) }));
    // As many threads as the issuer has.
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    runtime.block_on(async move {
        match tls {
            None => {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                writeln!(io::stdout(), "{address}")?;
                axum::serve(listener, router).await
            }
            Some((certificate, key)) => {
                // Fails only when there is a provider already.
                let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
                let tls = RustlsConfig::from_pem_file(certificate, key).await?;
                let server = axum_server::from_tcp_rustls(listener, tls)?;
                writeln!(io::stdout(), "{address}")?;
                server.serve(router.into_make_service()).await
            }
        }
    })
}
