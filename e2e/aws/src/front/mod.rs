//! The HTTP proxy in front of everything.
//!
//! A client that has only `HTTPS_PROXY` and `AWS_CA_BUNDLE` set speaks to AWS by its real names: the proxy ends the TLS
//! of those names itself, tunnels the hosts it was given a route for, and refuses all others. No connection ever leaves
//! the machine, because no name is ever looked up.

pub mod authority;
mod aws;
mod tunnel;

use std::convert::Infallible;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::endpoint::is_aws_host;
use crate::standin::Standin;
use authority::Authority;

/// What every connection of the proxy shares.
struct Front {
    standin: Arc<Standin>,
    acceptor: TlsAcceptor,
}

/// Accepts connections until the task is dropped.
pub async fn serve(listener: TcpListener, standin: Arc<Standin>, authority: Authority) {
    let acceptor = match aws::tls_acceptor(authority) {
        Ok(acceptor) => acceptor,
        Err(error) => {
            tracing::error!(%error, "cannot set TLS up");
            return;
        }
    };
    let front = Arc::new(Front { standin, acceptor });
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, Arc::clone(&front)));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, front: Arc<Front>) {
    let service = service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(answer(request, front).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a proxy connection ended early");
    }
}

async fn answer(request: Request<Incoming>, front: Arc<Front>) -> Response<Full<Bytes>> {
    let Some((host, port)) = connect_target(&request) else {
        return refusal("This proxy understands only CONNECT host:port.");
    };
    if is_aws_host(&host) && port == 443 {
        tokio::spawn(aws::serve_tunnel(request, host, front));
        return Response::new(Full::default());
    }
    let Some(address) = front.standin.route(&host) else {
        return refusal(&format!(
            "{host}:{port} is neither AWS nor a routed host, and no traffic leaves this machine."
        ));
    };
    match TcpStream::connect(address).await {
        Ok(upstream) => {
            tokio::spawn(tunnel::carry(request, upstream));
            Response::new(Full::default())
        }
        Err(error) => sentence(
            StatusCode::BAD_GATEWAY,
            format!("The route of {host} leads to {address}, which does not answer: {error}."),
        ),
    }
}

/// Host (lower case, without brackets) and port of a CONNECT request.
fn connect_target(request: &Request<Incoming>) -> Option<(String, u16)> {
    if request.method() != Method::CONNECT {
        return None;
    }
    let authority = request.uri().authority()?;
    Some((authority.host().to_ascii_lowercase(), authority.port_u16()?))
}

fn refusal(text: &str) -> Response<Full<Bytes>> {
    sentence(StatusCode::FORBIDDEN, text.to_owned())
}

fn sentence(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text + "\n"));
    *response.status_mut() = status;
    response
}
