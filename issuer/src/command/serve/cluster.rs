//! An issuer in a cluster: everything it needs is there, or comes. While something is missing it lives, is not ready, and
//! says on its private listener and in its log what it waits for; it does not end, because ending would bring nothing
//! nearer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Failure, ServeArgs, Signals, announce, background, stop};
use crate::{
    admin::FrontEnd,
    audit::Audit,
    clock::{Clock, SystemClock},
    cluster::{Cluster, Configuration, RootSecret, SigningKeys, configuration::InForce},
    config::Config,
    http::{
        private::{Standing, Waiting},
        server::{PrivateListener, Server},
    },
    identity::secrets::Secrets,
    keys::{KeyService, describe},
    metrics::{MeteredStore, Metrics},
    state::{Issuer, Parts, SharedIssuer},
    store::{
        Store as _,
        kubernetes::{KubernetesStore, Scope},
    },
};

/// Between two looks, at first: everything usually comes within a moment.
const GLANCE: Duration = Duration::from_millis(20);
/// Between two looks when it does not.
const LOOK: Duration = Duration::from_secs(1);
/// When something has not come within this time, it is worth a word.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn serve(args: &ServeArgs, name: &str, mut signals: Signals) -> Result<(), Failure> {
    let cluster = Cluster::find(args.namespace.as_deref()).await?;
    let front_end = FrontEnd::kubectl_vouch().with("-n", &cluster.namespace);
    let metrics = Metrics::new();
    let standing = Arc::<Standing>::default();
    let private = PrivateListener::start(Arc::clone(&standing), &metrics, args.private_listen)?;
    let mut needs = Needs::follow(&cluster, name);
    let found = tokio::select! {
        found = needs.wait(&standing) => found,
        () = signals.follow(async || nothing_to_reload()) => return Ok(()),
    };
    let Needs { configuration, root_secret, store, .. } = needs;
    let (issuer, in_force) = assemble(found, store, metrics);
    // A pod is taken out of its endpoints because it is being deleted. Until every load balancer has noticed, kube-proxy
    // still sends it requests, where nobody else is left, as long as it says that it is ready (KEP-1669).
    issuer.lifecycle.set_announced(true);
    let server = Server::start_beside(private, SharedIssuer::clone(&issuer), args.options()).await?;
    let mut background = background(&issuer, front_end);
    background.push(tokio::spawn(configuration.maintain(SharedIssuer::clone(&issuer), in_force)));
    background.push(tokio::spawn(Arc::new(root_secret).maintain(SharedIssuer::clone(&issuer))));
    announce(args, &server)?;
    signals.follow(async || nothing_to_reload()).await;
    stop(server, &background).await;
    tracing::info!("stopped");
    Ok(())
}

fn nothing_to_reload() {
    tracing::info!("nothing is read again: changes of the objects take effect by themselves");
}

/// Everything an issuer is made of, as found.
struct Found {
    config: Config,
    in_force: InForce,
    keys: KeyService,
    secrets: Secrets,
}

fn assemble(found: Found, store: KubernetesStore, metrics: Metrics) -> (SharedIssuer, InForce) {
    let Found { config, in_force, keys, secrets } = found;
    let audit = Audit::stdout().counting(metrics.events());
    let store = Arc::new(MeteredStore::new(store, metrics.store_meter()));
    let clock = Arc::new(SystemClock);
    (Arc::new(Issuer::new(Parts { clock, config, keys, store, secrets, audit, metrics })), in_force)
}

/// What an issuer follows before it is one.
struct Needs {
    cluster: Cluster,
    name: String,
    configuration: Arc<Configuration>,
    root_secret: RootSecret,
    store: KubernetesStore,
    /// Followed once the issuer's URL is known, which the keys must be for.
    keys: Option<(String, Arc<SigningKeys>)>,
}

impl Needs {
    fn follow(cluster: &Cluster, name: &str) -> Self {
        Self {
            configuration: Configuration::follow(cluster, name),
            root_secret: RootSecret::follow(cluster, name),
            store: KubernetesStore::follow(cluster, &Scope::Everybody),
            keys: None,
            cluster: cluster.clone(),
            name: name.to_owned(),
        }
    }

    /// Returns when everything is there.
    async fn wait(&mut self, standing: &Standing) -> Found {
        let began = Instant::now();
        let mut told = None;
        loop {
            let waiting = match self.look().await {
                Ok(found) => return found,
                Err(waiting) => waiting,
            };
            standing.wait_for(&waiting);
            let patient = began.elapsed() < PATIENCE;
            if !patient && told.as_ref() != Some(&waiting) {
                waiting.reasons().for_each(|reason| tracing::warn!("not ready, waiting: {reason}"));
                told = Some(waiting);
            }
            tokio::time::sleep(if patient { GLANCE } else { LOOK }).await;
        }
    }

    async fn look(&mut self) -> Result<Found, Waiting> {
        let mut waiting = Waiting::default();
        let declared = self.configuration.read().map_err(|fault| waiting.configuration = Some(describe(&fault))).ok();
        let secrets = self.root_secret.read().map_err(|fault| waiting.root_secret = Some(describe(&fault))).ok();
        waiting.store = self.store.health().await.err().map(|fault| describe(&fault));
        let keys = match &declared {
            Some(declared) => self.keys(declared.config()).await.map_err(|fault| waiting.keys = Some(fault)).ok(),
            None => None,
        };
        match (declared, keys, secrets) {
            (Some(declared), Some(keys), Some(secrets)) if waiting.store.is_none() => {
                let (config, in_force) = declared.split();
                Ok(Found { config, in_force, keys, secrets })
            }
            _ => Err(waiting),
        }
    }

    async fn keys(&mut self, config: &Config) -> Result<KeyService, String> {
        let url = config.url.to_string();
        let keys = match &self.keys {
            Some((known, keys)) if *known == url => Arc::clone(keys),
            _ => {
                let keys = Arc::new(SigningKeys::follow(&self.cluster, &self.name, &url));
                self.keys = Some((url, Arc::clone(&keys)));
                keys
            }
        };
        let service = KeyService::follow(keys, config.key_policy.clone(), SystemClock.now()).await;
        service.map_err(|fault| describe(&fault))
    }
}
