//! What the parts of a running issuer share. Built once by `serve`; every handler gets it as axum state.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::{
    audit::Audit,
    aws::catalogue::Catalogue,
    clock::SharedClock,
    cluster::Configuration,
    config::Config,
    http::{discovery::Discovery, limits::Limits},
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
    /// What discovery answers; follows the configuration.
    pub discovery: ArcSwap<Discovery>,
    /// Who may take which AWS role; follows the configuration.
    pub catalogue: ArcSwap<Catalogue>,
    /// Signing keys and the published key set.
    pub keys: KeyService,
    /// People and their keys.
    pub store: Arc<dyn Store>,
    /// What is derived from the root secret; in a cluster it follows the Secret. Take it once per request, like the
    /// configuration.
    pub secrets: ArcSwap<Secrets>,
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
    /// Told of every change of [`Issuer::config`], once it is in force.
    pub configured: watch::Sender<()>,
}

/// What an issuer is made of; the rest follows from the configuration.
pub struct Parts {
    /// The time.
    pub clock: SharedClock,
    /// The configuration to begin with.
    pub config: Config,
    /// Signing keys.
    pub keys: KeyService,
    /// People and their keys.
    pub store: Arc<dyn Store>,
    /// The root secret.
    pub secrets: Secrets,
    /// The audit trail.
    pub audit: Audit,
    /// Counters and gauges.
    pub metrics: Metrics,
}

impl Issuer {
    /// Puts an issuer together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { clock, config, keys, store, secrets, audit, metrics } = parts;
        Self {
            discovery: ArcSwap::from_pointee(Discovery::of(&config)),
            catalogue: ArcSwap::from_pointee(catalogue(&config)),
            limits: Limits::new(config.rate_limits),
            config: ArcSwap::from_pointee(config),
            replay: ReplayGuard::new(clock.now()),
            lifecycle: Lifecycle::default(),
            configured: watch::Sender::new(()),
            clock,
            keys,
            store,
            secrets: ArcSwap::from_pointee(secrets),
            audit,
            metrics,
        }
    }

    /// Puts another configuration in force. Requests that have begun end with the one they began with.
    pub fn configure(&self, config: Config) {
        self.keys.set_policy(config.key_policy.clone());
        self.limits.set(config.rate_limits);
        self.discovery.store(Arc::new(Discovery::of(&config)));
        self.catalogue.store(Arc::new(catalogue(&config)));
        self.config.store(Arc::new(config));
        self.configured.send_replace(());
    }
}

fn catalogue(config: &Config) -> Catalogue {
    Catalogue::new(&config.federations, config.aws.ungoverned_accounts)
}

/// How handlers hold it: `State<SharedIssuer>`.
pub type SharedIssuer = Arc<Issuer>;

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuer")
    }
}

/// Whether the issuer is going away, and whether its configuration is the one that is declared.
#[derive(Debug)]
pub struct Lifecycle {
    draining: watch::Sender<bool>,
    announced: AtomicBool,
    reload_refused: AtomicBool,
    followed: OnceLock<Arc<Configuration>>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            draining: watch::Sender::new(false),
            announced: AtomicBool::new(false),
            reload_refused: AtomicBool::new(false),
            followed: OnceLock::new(),
        }
    }
}

impl Lifecycle {
    /// Whether others tell those who send requests here that the issuer is going away. Readiness does not say so then.
    pub fn set_announced(&self, announced: bool) {
        self.announced.store(announced, Ordering::Relaxed);
    }

    /// Readiness is false from now on, unless others announce it; requests are still answered, held ones at once.
    pub fn begin_draining(&self) {
        self.draining.send_replace(true);
    }

    /// Whether readiness has to say that the issuer is going away.
    #[must_use]
    pub fn turns_away(&self) -> bool {
        self.draining() && !self.announced.load(Ordering::Relaxed)
    }

    /// Whether the issuer is going away.
    #[must_use]
    pub fn draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Returns when the issuer is going away. A handler that holds a request open ends it then.
    pub async fn until_draining(&self) {
        let mut draining = self.draining.subscribe();
        // The sender lives as long as `self`, so the wait cannot fail.
        let _ = draining.wait_for(|draining| *draining).await;
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

    /// The configuration follows these objects from now on.
    pub(crate) fn follows(&self, configuration: Arc<Configuration>) {
        // A second configuration of one issuer does not exist.
        let _ = self.followed.set(configuration);
    }

    /// Why a change of the configuration would not be noticed now.
    #[must_use]
    pub fn configuration_fault(&self) -> Option<String> {
        self.followed.get().and_then(|configuration| configuration.fault())
    }
}
