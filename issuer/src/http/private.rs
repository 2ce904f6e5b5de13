//! The private listener: liveness, readiness, metrics. It is never reachable from where people are.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

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

/// What an issuer that is starting waits for; `None`: it is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// For the objects that configure it.
    pub configuration: Option<String>,
    /// For the signing keys.
    pub keys: Option<String>,
    /// For the root secret.
    pub root_secret: Option<String>,
    /// For the people.
    pub store: Option<String>,
}

impl Waiting {
    /// What is not there, each in a sentence.
    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        [&self.configuration, &self.keys, &self.root_secret, &self.store].into_iter().filter_map(Option::as_deref)
    }
}

/// How far an issuer has come: what the private listener answers by.
#[derive(Debug, Default)]
pub struct Standing {
    issuer: OnceLock<SharedIssuer>,
    waiting: RwLock<Waiting>,
}

impl Standing {
    /// Of an issuer that runs.
    #[must_use]
    pub fn running(issuer: SharedIssuer) -> Self {
        let standing = Self::default();
        standing.run(issuer);
        standing
    }

    /// The issuer runs from now on.
    pub fn run(&self, issuer: SharedIssuer) {
        // A second issuer in one process does not exist.
        let _ = self.issuer.set(issuer);
    }

    /// What the issuer waits for now. Whether that is another thing than before.
    pub fn wait_for(&self, waiting: &Waiting) -> bool {
        let mut known = self.waiting.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *known != *waiting;
        known.clone_from(waiting);
        changed
    }

    async fn readiness(&self) -> Readiness {
        match self.issuer.get() {
            Some(issuer) => readiness(issuer).await,
            None => self.waiting.read().unwrap_or_else(PoisonError::into_inner).clone().into(),
        }
    }
}

/// The private surface.
pub fn private(standing: Arc<Standing>) -> Router {
    Router::new()
        .route(LIVEZ, get(async || "ok\n"))
        .route(READYZ, get(readyz))
        .route(METRICS, get(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, "try /livez, /readyz or /metrics\n"))
        .with_state(standing)
}

/// Whether traffic should come here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// Everything works.
    Ready,
    /// What was loaded before is served, or the key set and nothing that needs a signature; somebody must look. Taking
    /// this replica away would only make it worse.
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
    audit: String,
    lifecycle: String,
}

impl From<Waiting> for Readiness {
    fn from(waiting: Waiting) -> Self {
        let Waiting { configuration, keys, root_secret, store } = waiting;
        let said = |text: Option<String>| text.unwrap_or_else(|| OK.to_owned());
        Self {
            status: Verdict::NotReady,
            keys: said(keys.or(root_secret)),
            configuration: said(configuration),
            store: said(store),
            audit: OK.to_owned(),
            lifecycle: "starting".to_owned(),
        }
    }
}

const OK: &str = "ok";

async fn readiness(issuer: &SharedIssuer) -> Readiness {
    let keys = issuer.keys.fault().map(|fault| format!("{fault}; the last good keys stay in use"));
    let silence = issuer.keys.snapshot().silence.as_ref().and_then(|silence| silence.in_short(issuer.clock.now()));
    let store = issuer.store.health().await.err();
    let stale = issuer.store.stale();
    let audit = issuer.audit.fault();
    let reload_refused = issuer.lifecycle.reload_refused();
    let unseen = issuer.lifecycle.configuration_fault();
    let draining = issuer.lifecycle.draining();
    let status = if issuer.lifecycle.turns_away() || store.is_some() || audit.is_some() {
        Verdict::NotReady
    } else if keys.is_some() || silence.is_some() || reload_refused || unseen.is_some() || stale.is_some() {
        Verdict::Degraded
    } else {
        Verdict::Ready
    };
    let refused = "what was changed is refused, the previous configuration stays in force; see the log";
    let refused = reload_refused.then(|| refused.to_owned());
    let unseen = unseen.map(|fault| format!("{fault}; changes are not seen, what was known stays in force"));
    let stale = stale.map(|fault| format!("{fault}; sessions go on, nobody can sign in"));
    Readiness {
        status,
        keys: keys.or(silence).unwrap_or_else(|| OK.to_owned()),
        configuration: refused.or(unseen).unwrap_or_else(|| OK.to_owned()),
        store: store.map(|error| error.to_string()).or(stale).unwrap_or_else(|| OK.to_owned()),
        audit: audit.map_or_else(|| OK.to_owned(), |fault| format!("{fault}; nobody signs in or gets credentials")),
        lifecycle: if draining { "draining" } else { OK }.to_owned(),
    }
}

async fn readyz(State(standing): State<Arc<Standing>>) -> Response {
    let readiness = standing.readiness().await;
    let status = if readiness.status == Verdict::NotReady { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(readiness)).into_response()
}

async fn metrics(State(standing): State<Arc<Standing>>) -> Response {
    let Some(issuer) = standing.issuer.get() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting; see /readyz\n").into_response();
    };
    let now = issuer.clock.now();
    let snapshot = issuer.keys.snapshot();
    let next = snapshot.next_transition.map_or(f64::NAN, |at| at.duration_since(now).as_secs_f64());
    let gauges = Gauges {
        keys: snapshot.count_by_state(),
        next_rotation: next,
        audit_up: issuer.audit.fault().is_none(),
        key_store_up: issuer.keys.fault().is_none(),
        configuration_up: issuer.lifecycle.configuration_fault().is_none(),
        store_up: issuer.store.stale().is_none(),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::issuer::TestIssuer;

    #[tokio::test]
    async fn a_pod_that_is_deleted_is_ready_until_it_refuses_connections() {
        let test = TestIssuer::new().await;
        let issuer = &test.issuer;
        let verdict = async || readiness(issuer).await.status;
        issuer.lifecycle.set_announced(true);
        issuer.lifecycle.begin_draining();
        assert_eq!((verdict().await, readiness(issuer).await.lifecycle.as_str()), (Verdict::Ready, "draining"));
        issuer.lifecycle.set_announced(false);
        assert_eq!(verdict().await, Verdict::NotReady);
    }
}
