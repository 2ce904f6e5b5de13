//! The private listener: liveness, readiness, metrics. It is never reachable from where people are.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use crate::{metrics::Gauges, state::SharedIssuer};

/// The process answers.
pub const LIVEZ: &str = "/livez";
/// The process can do its work.
pub const READYZ: &str = "/readyz";
/// For Prometheus.
pub const METRICS: &str = "/metrics";

/// The private surface.
pub fn private(issuer: SharedIssuer) -> Router {
    Router::new()
        .route(LIVEZ, get(async || "ok\n"))
        .route(READYZ, get(readyz))
        .route(METRICS, get(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, "try /livez, /readyz or /metrics\n"))
        .with_state(issuer)
}

/// Whether traffic should come here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// Everything works.
    Ready,
    /// What was loaded before is served; somebody must look. Taking this replica away would only make it worse.
    Degraded,
    /// Send nobody here.
    NotReady,
}

/// The answer of [`READYZ`]: `ok`, or what is wrong.
#[derive(Debug, Serialize)]
struct Readiness {
    status: Verdict,
    keys: String,
    configuration: String,
    store: String,
    lifecycle: String,
}

const OK: &str = "ok";

async fn readiness(issuer: &SharedIssuer) -> Readiness {
    let keys = issuer.keys.fault();
    let store = issuer.store.health().await.err();
    let reload_refused = issuer.lifecycle.reload_refused();
    let draining = issuer.lifecycle.draining();
    let status = if draining || store.is_some() {
        Verdict::NotReady
    } else if keys.is_some() || reload_refused {
        Verdict::Degraded
    } else {
        Verdict::Ready
    };
    let refused = "the changed file was refused, the previous configuration stays in force; see the log";
    Readiness {
        status,
        keys: keys.map_or_else(|| OK.to_owned(), |fault| format!("{fault}; the last good keys stay in use")),
        configuration: if reload_refused { refused } else { OK }.to_owned(),
        store: store.map_or_else(|| OK.to_owned(), |error| error.to_string()),
        lifecycle: if draining { "draining" } else { OK }.to_owned(),
    }
}

async fn readyz(State(issuer): State<SharedIssuer>) -> Response {
    let readiness = readiness(&issuer).await;
    let status = if readiness.status == Verdict::NotReady { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(readiness)).into_response()
}

async fn metrics(State(issuer): State<SharedIssuer>) -> Response {
    let now = issuer.clock.now();
    let snapshot = issuer.keys.snapshot();
    let next = snapshot.next_transition.map_or(f64::NAN, |at| at.duration_since(now).as_secs_f64());
    let gauges = Gauges {
        keys: snapshot.count_by_state(),
        next_rotation: next,
        key_store_up: issuer.keys.fault().is_none(),
        reload_refused: issuer.lifecycle.reload_refused(),
        limited: issuer.limits.remembered(),
    };
    match issuer.metrics.render(&gauges) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
