//! The operator's own HTTP: liveness, readiness and metrics for the cluster; the log's level for whoever may forward a
//! port to the pod, and nobody else.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};

use crate::{lease::runner::Standing, log::LogLevel, metrics::Metrics};

/// What the listeners show.
#[derive(Clone)]
pub struct Shown {
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How the election stands.
    pub standing: watch::Receiver<Standing>,
}

/// The listener cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// `/livez`, `/readyz` and `/metrics`.
pub fn private(shown: Shown) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, "try /livez, /readyz or /metrics\n"))
        .with_state(shown)
}

/// `GET` and `PUT /log`.
pub fn admin(level: LogLevel) -> Router {
    Router::new()
        .route("/log", get(show_log).put(set_log))
        .fallback(async || (StatusCode::NOT_FOUND, "try /log\n"))
        .with_state(level)
}

/// Listens, and serves for as long as the program runs.
///
/// # Errors
/// When the address cannot be had.
pub async fn serve(address: SocketAddr, router: Router) -> Result<SocketAddr, ListenError> {
    let failed = |source| ListenError { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let actual = listener.local_addr().map_err(failed)?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(actual)
}

/// A replica that can see the lease is ready, whether it leads or waits.
async fn readyz(State(shown): State<Shown>) -> Response {
    let standing = shown.standing.borrow().clone();
    match (standing.known, standing.fault) {
        (true, _) if standing.leading => (StatusCode::OK, "ok: leading\n".to_owned()).into_response(),
        (true, None) => {
            let holder = standing.holder.as_deref().unwrap_or("nobody").to_owned();
            (StatusCode::OK, format!("ok: {holder} leads\n")).into_response()
        }
        (_, Some(fault)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{fault}\n")).into_response(),
        (false, None) => (StatusCode::SERVICE_UNAVAILABLE, "the lease has not been read yet\n").into_response(),
    }
}

async fn metrics(State(shown): State<Shown>) -> Response {
    shown.metrics.set_leading(shown.standing.borrow().leading);
    match shown.metrics.render() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn show_log(State(level): State<LogLevel>) -> String {
    format!("{}\n", level.show())
}

async fn set_log(State(level): State<LogLevel>, filter: String) -> Response {
    match level.set(filter.trim()) {
        Ok(()) => (StatusCode::OK, format!("{}\n", level.show())).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
