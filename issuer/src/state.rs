//! What the parts of a running issuer share. Built once by `serve`; every handler gets it as axum state.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;

use crate::{
    audit::Audit,
    clock::SharedClock,
    config::Config,
    http::limits::Limits,
    identity::{dpop::ReplayGuard, secrets::Secrets},
    keys::KeyService,
    metrics::Metrics,
    store::Store,
};

/// A running issuer.
pub struct Issuer {
    /// The time.
    pub clock: SharedClock,
    /// The configuration in force. Take it once per request (`load_full`), so that one request sees one configuration.
    pub config: ArcSwap<Config>,
    /// Signing keys and the published key set.
    pub keys: KeyService,
    /// People and their keys.
    pub store: Arc<dyn Store>,
    /// The root secret from which sealing and hashing keys are derived.
    pub secrets: Secrets,
    /// The audit trail.
    pub audit: Audit,
    /// Counters and gauges.
    pub metrics: Metrics,
    /// Rate limits.
    pub limits: Limits,
    /// DPoP proofs seen a short while ago.
    pub replay: ReplayGuard,
    /// Whether the issuer is going away.
    pub lifecycle: Lifecycle,
}

/// How handlers hold it: `State<SharedIssuer>`.
pub type SharedIssuer = Arc<Issuer>;

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuer")
    }
}

/// Whether the issuer is going away, and whether the last reload was taken.
#[derive(Debug, Default)]
pub struct Lifecycle {
    draining: AtomicBool,
    reload_refused: AtomicBool,
}

impl Lifecycle {
    /// Readiness is false from now on; requests are still answered.
    pub fn begin_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the issuer is going away.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Remembers whether the last reload of the configuration was refused.
    pub fn set_reload_refused(&self, refused: bool) {
        self.reload_refused.store(refused, Ordering::Relaxed);
    }

    /// Whether the file on disk differs from the configuration in force because it is wrong.
    #[must_use]
    pub fn reload_refused(&self) -> bool {
        self.reload_refused.load(Ordering::Relaxed)
    }
}
