//! The inside of a tunnel to an AWS name: TLS ended here, then HTTP/1.1.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio_rustls::TlsAcceptor;

use super::Front;
use super::authority::Authority;
use crate::api::{self, RawRequest};
use crate::standin::Standin;

/// AWS refuses larger query requests; the longest legitimate one carries a 20,000 character token.
const BODY_LIMIT: usize = 1 << 20;

/// TLS for AWS names, offering HTTP/1.1 alone.
pub(super) fn tls_acceptor(authority: Authority) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(authority));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Answers the requests of one tunnel to `host`.
pub(super) async fn serve_tunnel(request: Request<Incoming>, host: String, front: Arc<Front>) {
    let upgraded = match hyper::upgrade::on(request).await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, %host, "the client left before its tunnel was open");
            return;
        }
    };
    let stream = match front.acceptor.accept(TokioIo::new(upgraded)).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, %host, "TLS failed; does the client trust the authority of this stand-in?");
            return;
        }
    };
    let service = service_fn(move |request| {
        let (host, standin) = (host.clone(), Arc::clone(&front.standin));
        async move { Ok::<_, Infallible>(answer(request, &host, &standin).await) }
    });
    if let Err(error) = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
    {
        tracing::debug!(%error, "a connection to AWS ended early");
    }
}

async fn answer(request: Request<Incoming>, host: &str, standin: &Standin) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            tracing::warn!(%error, host, "cannot read a request");
            let mut response = Response::new(Full::from("The request body is too large or broken off.\n"));
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            return response;
        }
    };
    api::answer(standin, &RawRequest { parts, body, host: host.to_owned() }).await.map(Full::from)
}
