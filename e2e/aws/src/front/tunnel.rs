//! Bytes carried unread between a client and a routed host.

use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Carries both directions until either side ends.
pub(super) async fn carry(request: Request<Incoming>, mut upstream: TcpStream) {
    let carried = match hyper::upgrade::on(request).await {
        Ok(upgraded) => tokio::io::copy_bidirectional(&mut TokioIo::new(upgraded), &mut upstream).await,
        Err(error) => {
            tracing::debug!(%error, "the client left before its tunnel was open");
            return;
        }
    };
    if let Err(error) = carried {
        tracing::debug!(%error, "a tunnel ended early");
    }
}
