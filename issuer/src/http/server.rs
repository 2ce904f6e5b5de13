//! The two listeners, and how they stop: readiness first, then no new connection, then the requests in flight.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use axum_server::{Handle, tls_rustls::RustlsAcceptor};
use tokio::task::JoinHandle;

use super::{
    connections::{ConnectionLimits, Connections, Gate, raise_descriptor_limit},
    private::{Standing, private},
    router::public,
    tls::{Certificate, TlsError, TlsFiles},
};
use crate::{metrics::Metrics, state::SharedIssuer};

/// Time for a client to send the head of its first request. Slow heads are the cheapest way to hold a connection.
const FIRST_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle between requests, and how long the head of a later one may take. A new one costs
/// twelve signatures, so clients that keep talking keep theirs; longer than any request of an agent is held open. When
/// places are scarce, idle connections make room sooner.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// How often an HTTP/2 client is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(60);
/// Requests on one HTTP/2 connection at the same time; an agent and its helpers need a few.
const STREAMS_PER_CONNECTION: u32 = 64;
/// How long the private listener outlives the public one at most.
const PRIVATE_GRACE: Duration = Duration::from_secs(1);

/// Where to listen and how to stop.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The public listener. Port 0: any free one.
    pub listen: SocketAddr,
    /// The private listener. Port 0: any free one.
    pub private_listen: SocketAddr,
    /// Absent: plain HTTP, for a proxy that terminates TLS.
    pub tls: Option<TlsFiles>,
    /// How long to go on accepting after being told to stop, until load balancers have noticed.
    pub drain_delay: Duration,
    /// How long requests in flight may take after that.
    pub drain_timeout: Duration,
}

/// Why the issuer does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken, not ours, or needs privileges.
    #[error("cannot listen on {address}; {}", advice(*address, source))]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// No certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What can be done about it.
fn advice(address: SocketAddr, error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied && address.port() < 1024 {
        return "a port below 1024 needs root or CAP_NET_BIND_SERVICE (AmbientCapabilities= in a systemd unit); or listen on \
                8443, behind a proxy or port mapping that answers there";
    }
    "another address is given with --listen or --private-listen"
}

struct Listener {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    task: JoinHandle<io::Result<()>>,
}

/// The private listener of an issuer that runs, or is still waiting for what it needs.
pub struct PrivateListener {
    standing: Arc<Standing>,
    listener: Listener,
}

impl std::fmt::Debug for PrivateListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateListener").field("address", &self.listener.address).finish_non_exhaustive()
    }
}

impl PrivateListener {
    /// Listens, and answers by `standing`.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn start(standing: Arc<Standing>, metrics: &Metrics, address: SocketAddr) -> Result<Self, ServerError> {
        let limits = ConnectionLimits::private(IDLE_TIMEOUT);
        let gate = Gate::new(Connections::new(limits, metrics.connection_meter().of("private")), |_| false);
        let router = private(Arc::clone(&standing));
        let listener = Listener::start(bind(address)?, router, gate, None, address)?;
        Ok(Self { standing, listener })
    }
}

async fn load(files: Option<&TlsFiles>) -> Result<Option<Certificate>, TlsError> {
    match files {
        Some(files) => Certificate::load(files.clone()).await.map(Some),
        None => Ok(None),
    }
}

/// Two listeners that accept.
pub struct Server {
    issuer: SharedIssuer,
    public: Listener,
    private: Listener,
    certificate: Option<JoinHandle<()>>,
    drain_delay: Duration,
    drain_timeout: Duration,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("public", &self.public.address)
            .field("private", &self.private.address)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Listens. When it returns, both addresses take connections.
    ///
    /// # Errors
    /// When an address cannot be had or the certificate cannot be used; nothing listens then.
    pub async fn start(issuer: SharedIssuer, options: ServerOptions) -> Result<Self, ServerError> {
        let certificate = load(options.tls.as_ref()).await?;
        let public = bind(options.listen)?;
        let private = PrivateListener::start(Arc::default(), &issuer.metrics, options.private_listen)?;
        Self::serve(issuer, public, certificate, private, &options)
    }

    /// Listens for the public, beside a private listener that has waited for this issuer.
    ///
    /// # Errors
    /// When the address cannot be had or the certificate cannot be used.
    pub async fn start_beside(
        private: PrivateListener,
        issuer: SharedIssuer,
        options: ServerOptions,
    ) -> Result<Self, ServerError> {
        let certificate = load(options.tls.as_ref()).await?;
        let public = bind(options.listen)?;
        Self::serve(issuer, public, certificate, private, &options)
    }

    fn serve(
        issuer: SharedIssuer,
        socket: TcpListener,
        certificate: Option<Certificate>,
        private: PrivateListener,
        options: &ServerOptions,
    ) -> Result<Self, ServerError> {
        if let Some(certificate) = &certificate {
            certificate.check_names(&issuer.config.load());
        }
        let limits = ConnectionLimits::public(raise_descriptor_limit(), IDLE_TIMEOUT);
        let meter = issuer.metrics.connection_meter();
        let gate = Gate::new(Connections::new(limits, meter.of("public")), is_proxy(&issuer));
        let router = public(SharedIssuer::clone(&issuer));
        let public = Listener::start(socket, router, gate, certificate.as_ref(), options.listen)?;
        private.standing.run(SharedIssuer::clone(&issuer));
        let certificate = certificate.map(|certificate| tokio::spawn(certificate.follow(SharedIssuer::clone(&issuer))));
        let (drain_delay, drain_timeout) = (options.drain_delay, options.drain_timeout);
        Ok(Self { issuer, public, private: private.listener, certificate, drain_delay, drain_timeout })
    }

    /// Where the public listener really is.
    #[must_use]
    pub fn public_address(&self) -> SocketAddr {
        self.public.address
    }

    /// Where the private listener really is.
    #[must_use]
    pub fn private_address(&self) -> SocketAddr {
        self.private.address
    }

    /// Stops: readiness turns false, new connections are refused, requests in flight end within the timeout. Where others
    /// announce that it goes away, readiness turns false when connections are refused. The private listener goes last,
    /// so that the whole of it can be watched.
    pub async fn drain(self) {
        self.issuer.lifecycle.begin_draining();
        tokio::time::sleep(self.drain_delay).await;
        self.issuer.lifecycle.set_announced(false);
        self.public.stop(self.drain_timeout).await;
        self.private.stop(PRIVATE_GRACE).await;
        if let Some(task) = self.certificate {
            task.abort();
        }
    }
}

/// Whether an address is that of a trusted proxy, by the configuration in force.
fn is_proxy(issuer: &SharedIssuer) -> impl Fn(IpAddr) -> bool + Send + Sync + 'static {
    let issuer = SharedIssuer::clone(issuer);
    move |address| issuer.config.load().trusted_proxies.iter().any(|network| network.contains(&address))
}

fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address).map_err(|source| ServerError::Bind { address, source })
}

impl Listener {
    fn start(
        socket: TcpListener,
        router: Router,
        gate: Gate,
        certificate: Option<&Certificate>,
        wanted: SocketAddr,
    ) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Bind { address: wanted, source };
        let address = socket.local_addr().map_err(failed)?;
        let handle = Handle::new();
        let mut server = axum_server::from_tcp(socket)
            .map_err(failed)?
            .handle(handle.clone())
            .first_request_timeout(FIRST_HEAD_TIMEOUT)
            .accept_error_handler(|peer, error| tracing::debug!(?peer, %error, "connection not accepted"));
        server.http_builder().http1().header_read_timeout(IDLE_TIMEOUT);
        server.http_builder().http2().max_concurrent_streams(STREAMS_PER_CONNECTION).keep_alive_interval(PING_INTERVAL);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let task = match certificate {
            Some(certificate) => {
                tokio::spawn(server.acceptor(RustlsAcceptor::new(certificate.serving()).acceptor(gate)).serve(service))
            }
            None => tokio::spawn(server.acceptor(gate).serve(service)),
        };
        Ok(Self { address, handle, task })
    }

    async fn stop(self, within: Duration) {
        self.handle.graceful_shutdown(Some(within));
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, address = %self.address, "listener failed"),
            Err(error) => tracing::error!(%error, address = %self.address, "listener failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_not_listen_on_a_low_port_reads_which_right_it_takes_and_how_to_do_without() {
        let refused = |port, kind: io::ErrorKind| {
            ServerError::Bind { address: SocketAddr::from(([0, 0, 0, 0], port)), source: kind.into() }.to_string()
        };
        let denied = refused(443, io::ErrorKind::PermissionDenied);
        for word in ["cannot listen on 0.0.0.0:443", "CAP_NET_BIND_SERVICE", "systemd unit", "8443", "proxy"] {
            assert!(denied.contains(word), "{word} is missing in {denied}");
        }
        for other in [refused(443, io::ErrorKind::AddrInUse), refused(8443, io::ErrorKind::PermissionDenied)] {
            assert!(other.ends_with("another address is given with --listen or --private-listen"), "{other}");
        }
    }
}
