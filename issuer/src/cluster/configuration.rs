//! The configuration of an issuer from the objects of its namespace, through the same reader that reads files.
//!
//! A mistake changes nothing: the previous configuration stays in force, because an issuer without a federation would
//! leave that federation's accounts ungoverned.

use std::{fmt::Debug, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{ApiResource, DynamicObject},
    runtime::watcher,
};
use serde_json::Value;
use tokio::sync::watch;
use vouch_crds::{client::OidcClient, federation::AwsFederation, issuer::VouchIssuer};

use super::{Cluster, Collection};
use crate::{
    config::{self, Config, objects},
    keys::describe,
    reload::{Refused, Taken, put_in_force},
    state::SharedIssuer,
};

/// Changes that come together are read together.
const BREATH: Duration = Duration::from_millis(50);

/// Between two looks at what cannot be seen.
const RETRY: Duration = Duration::from_secs(5);

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationFault {
    /// Nothing has been read yet.
    #[error("the {what} objects are not known yet{}", fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default())]
    NotSynced {
        /// Of which objects.
        what: &'static str,
        /// Why not.
        fault: Option<String>,
    },
    /// The issuer is not declared.
    #[error(
        "there is no VouchIssuer {name} in the namespace {namespace}; declare it, or name another one with --issuer"
    )]
    NoIssuer {
        /// Which.
        name: String,
        /// Where.
        namespace: String,
    },
    /// What is declared is wrong.
    #[error(transparent)]
    Mistakes(#[from] config::Problems),
}

/// A configuration, and what it was read from.
#[derive(Debug)]
pub struct Declared {
    config: Config,
    objects: Vec<Value>,
}

impl Declared {
    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The same, and what [`Configuration::maintain`] compares later objects with.
    #[must_use]
    pub fn split(self) -> (Config, InForce) {
        (self.config, InForce(self.objects))
    }
}

/// What the configuration in force was read from.
#[derive(Debug)]
pub struct InForce(Vec<Value>);

/// The objects that configure one issuer.
#[derive(Debug)]
pub struct Configuration {
    name: String,
    cluster: Cluster,
    issuer: Collection<DynamicObject>,
    federations: Collection<DynamicObject>,
    clients: Collection<DynamicObject>,
    /// The ConfigMap with attestation roots, followed while the issuer names it.
    roots: ArcSwapOption<Roots>,
    changes: watch::Sender<u64>,
}

struct Roots {
    name: String,
    config_map: Collection<ConfigMap>,
}

impl Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roots").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Configuration {
    /// Follows the objects of the issuer `name`.
    #[must_use]
    pub fn follow(cluster: &Cluster, name: &str) -> Arc<Self> {
        let collection = |kind: ApiResource, config: watcher::Config| {
            let api = |client| Api::<DynamicObject>::namespaced_with(client, &cluster.namespace, &kind);
            Collection::follow(&cluster.client, api, config)
        };
        let all = watcher::Config::default;
        let named = all().fields(&format!("metadata.name={name}"));
        let configuration = Arc::new(Self {
            name: name.to_owned(),
            cluster: cluster.clone(),
            issuer: collection(ApiResource::erase::<VouchIssuer>(&()), named),
            federations: collection(ApiResource::erase::<AwsFederation>(&()), all()),
            clients: collection(ApiResource::erase::<OidcClient>(&()), all()),
            roots: ArcSwapOption::empty(),
            changes: watch::Sender::new(0),
        });
        for collection in [&configuration.issuer, &configuration.federations, &configuration.clients] {
            configuration.tell_of(collection.changes());
        }
        configuration
    }

    fn tell_of(&self, mut changes: watch::Receiver<u64>) {
        let told = self.changes.clone();
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                told.send_modify(|count| *count = count.wrapping_add(1));
            }
        });
    }

    /// Rises with every change of any of the objects.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Why some of the objects cannot be seen now; what is known is as old as this.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let roots = self.roots.load();
        let collections = [&self.issuer, &self.federations, &self.clients];
        let fault = collections.into_iter().find_map(Collection::fault);
        fault.or_else(|| roots.as_ref().and_then(|roots| roots.config_map.fault()))
    }

    /// What is declared now.
    ///
    /// # Errors
    /// When it is not known yet, or wrong.
    pub fn read(&self) -> Result<Declared, ConfigurationFault> {
        let objects = self.objects()?;
        Ok(Declared { config: config::load_objects(&objects)?, objects })
    }

    /// The objects that declare it, without what controllers write.
    fn objects(&self) -> Result<Vec<Value>, ConfigurationFault> {
        let issuers = synced(&self.issuer, "VouchIssuer")?;
        let absent =
            || ConfigurationFault::NoIssuer { name: self.name.clone(), namespace: self.cluster.namespace.clone() };
        let issuer = issuers.into_iter().next().ok_or_else(absent)?;
        let refers = |object: &Value| objects::issuer_of(object) == Some(&self.name);
        let federations = synced(&self.federations, "AwsFederation")?.into_iter().filter(refers);
        let clients = synced(&self.clients, "OidcClient")?.into_iter().filter(refers);
        let roots = self.roots(&issuer)?;
        Ok([issuer].into_iter().chain(federations).chain(clients).chain(roots).collect())
    }

    /// The ConfigMap that the issuer names. It is followed from the moment it is named.
    fn roots(&self, issuer: &Value) -> Result<Option<Value>, ConfigurationFault> {
        let named = issuer.pointer("/spec/authenticators/attestationRoots/configMapRef/name").and_then(Value::as_str);
        let Some(name) = named else {
            self.roots.store(None);
            return Ok(None);
        };
        let followed = self.roots.load_full().filter(|roots| roots.name == name);
        let roots = followed.unwrap_or_else(|| {
            let api = |client| Api::namespaced(client, &self.cluster.namespace);
            let config_map = Collection::one(&self.cluster.client, api, name);
            let roots = Arc::new(Roots { name: name.to_owned(), config_map });
            self.tell_of(roots.config_map.changes());
            self.roots.store(Some(Arc::clone(&roots)));
            roots
        });
        let seen = roots.config_map.seen();
        if !seen.synced {
            let fault = roots.config_map.fault();
            return Err(ConfigurationFault::NotSynced { what: "ConfigMap", fault });
        }
        let found = seen.objects.get(name);
        Ok(found.map(|config_map| objects::attestation_roots(&config_map.metadata, &config_map.data)))
    }

    /// Puts every change in force, until the process ends.
    pub async fn maintain(self: Arc<Self>, issuer: SharedIssuer, in_force: InForce) {
        issuer.lifecycle.follows(Arc::clone(&self));
        let mut reporter = Reporter::default();
        reporter.notice(&issuer);
        let mut changes = self.changes();
        let InForce(mut known) = in_force;
        // What changed while the issuer was put together is not missed.
        changes.mark_changed();
        while changes.changed().await.is_ok() {
            tokio::time::sleep(BREATH).await;
            changes.mark_unchanged();
            match self.objects() {
                Ok(objects) if known == objects && !issuer.lifecycle.reload_refused() => {}
                Ok(objects) => {
                    let outcome = config::load_objects(&objects).map_err(Refused::from);
                    reporter.report(&issuer, outcome.and_then(|config| put_in_force(&issuer, config)));
                    known = objects;
                }
                // An object that has just been named, and will be known in a moment.
                Err(ConfigurationFault::NotSynced { fault: None, .. }) => {}
                Err(fault) => {
                    reporter.report(&issuer, Err(Refused::Cluster(fault)));
                    tokio::time::sleep(RETRY).await;
                    changes.mark_changed();
                }
            }
        }
    }
}

/// Tells of what becomes of changes; of a refusal once, however often it is looked at again.
#[derive(Debug, Default)]
struct Reporter {
    refused: Option<String>,
    notices: Vec<String>,
}

impl Reporter {
    fn report(&mut self, issuer: &SharedIssuer, outcome: Result<Taken, Refused>) {
        issuer.lifecycle.set_reload_refused(outcome.is_err());
        let refused = outcome.err().map(|refused| describe(&refused));
        if !self.is_news(refused.as_deref()) {
            return;
        }
        match refused {
            None => {
                tracing::info!("configuration changed");
                self.notice(issuer);
            }
            Some(refused) => {
                tracing::error!(refused, "the changed objects are refused; the previous configuration stays in force");
            }
        }
    }

    /// Whether a refusal, or that a change was taken, has not been told of.
    fn is_news(&mut self, refused: Option<&str>) -> bool {
        let known = std::mem::replace(&mut self.refused, refused.map(ToOwned::to_owned));
        refused.is_none() || known.as_deref() != refused
    }

    /// Tells what of the configuration in force has no effect, in one line, unless that has been told.
    fn notice(&mut self, issuer: &SharedIssuer) {
        let notices = issuer.config.load().notices();
        if self.notices != notices && !notices.is_empty() {
            tracing::warn!("{}", notices.join("; "));
        }
        self.notices = notices;
    }
}

/// Every object of a collection as a manifest.
fn synced(collection: &Collection<DynamicObject>, kind: &'static str) -> Result<Vec<Value>, ConfigurationFault> {
    let seen = collection.seen();
    if !seen.synced {
        return Err(ConfigurationFault::NotSynced { what: kind, fault: collection.fault() });
    }
    let manifest = |object: &DynamicObject| objects::declaration(kind, &object.metadata, object.data.get("spec"));
    Ok(seen.objects.values().map(|object| manifest(object)).collect())
}

#[cfg(test)]
mod tests {
    use super::Reporter;

    #[test]
    fn a_refusal_is_told_of_once_and_every_change_that_is_taken() {
        let mut reporter = Reporter::default();
        let outcomes = [None, Some("a"), Some("a"), Some("b"), Some("b"), None, None, Some("b")];
        let news = outcomes.map(|outcome| reporter.is_news(outcome));
        assert_eq!(news, [true, true, false, true, false, true, true, true]);
    }
}
