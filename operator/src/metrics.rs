//! What the operator counts, for Prometheus.
//!
//! Labels are closed sets or names of declared objects: no text of a failure ever becomes a label.

use std::{fmt, sync::atomic::AtomicU64, time::Duration};

use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use vouch_crds::issuer::{KeyState, KeyStatus, SigningAlgorithm};

use crate::reason::Reason;

/// Seconds; from a pass that finds nothing to do to one that waits for the API server's limit.
const RECONCILE_BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// Seconds.
const REQUEST_BUCKETS: [f64; 8] = [0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    resource: String,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerbLabel {
    verb: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyLabels {
    namespace: String,
    issuer: String,
    algorithm: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IssuerLabels {
    namespace: String,
    issuer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TransitionLabels {
    namespace: String,
    issuer: String,
    change: &'static str,
}

/// The operator's metrics.
pub struct Metrics {
    registry: Registry,
    leading: Gauge,
    reconciles: Family<ReconcileLabels, Counter>,
    reconcile_durations: Family<KindLabel, Histogram, fn() -> Histogram>,
    requests: Family<RequestLabels, Counter>,
    request_durations: Family<VerbLabel, Histogram, fn() -> Histogram>,
    ready: Family<IssuerLabels, Gauge>,
    keys: Family<KeyLabels, Gauge>,
    key_changes: Family<TransitionLabels, Counter>,
    next_rotation: Family<IssuerLabels, Gauge<f64, AtomicU64>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let reconcile: fn() -> Histogram = || Histogram::new(RECONCILE_BUCKETS);
        let request: fn() -> Histogram = || Histogram::new(REQUEST_BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix("vouch_operator"),
            leading: Gauge::default(),
            reconciles: Family::default(),
            reconcile_durations: Family::new_with_constructor(reconcile),
            requests: Family::default(),
            request_durations: Family::new_with_constructor(request),
            ready: Family::default(),
            keys: Family::default(),
            key_changes: Family::default(),
            next_rotation: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("build", "The running program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        r.register("leading", "1 while this replica holds the lease", self.leading.clone());
        r.register("reconciles", "Passes over objects, by kind and outcome", self.reconciles.clone());
        let help = "Time of a pass over one object, by kind";
        r.register_with_unit("reconcile_duration", help, Unit::Seconds, self.reconcile_durations.clone());
        let help = "Requests to the API server, by verb, resource and status (0: no answer)";
        r.register("api_requests", help, self.requests.clone());
        let help = "Time until the API server answered, by verb; watches are not in it";
        r.register_with_unit("api_request_duration", help, Unit::Seconds, self.request_durations.clone());
        r.register("issuer_ready", "1 when the VouchIssuer is as declared", self.ready.clone());
        let help = "Signing keys of an issuer that can be read, by algorithm and state; zero when none can";
        r.register("signing_keys", help, self.keys.clone());
        r.register("signing_key_changes", "Transitions of signing keys, by what happened", self.key_changes.clone());
        let help = "When the next signing key takes over, in Unix time; in the past: overdue";
        r.register_with_unit("next_rotation_timestamp", help, Unit::Seconds, self.next_rotation.clone());
    }

    /// Notes whether this replica leads.
    pub fn set_leading(&self, leading: bool) {
        self.leading.set(leading.into());
    }

    /// Notes a pass over an object. `outcome` is `Done` or the word of a failure's category.
    pub fn reconciled(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        self.reconciles.get_or_create(&ReconcileLabels { kind, outcome }).inc();
        self.reconcile_durations.get_or_create(&KindLabel { kind }).observe(took.as_secs_f64());
    }

    /// Notes a request; `took` is absent for a watch.
    pub fn requested(&self, verb: &'static str, resource: &str, code: u16, took: Option<Duration>) {
        self.requests.get_or_create(&RequestLabels { verb, resource: resource.to_owned(), code }).inc();
        if let Some(took) = took {
            self.request_durations.get_or_create(&VerbLabel { verb }).observe(took.as_secs_f64());
        }
    }

    /// Notes whether an issuer is as declared.
    pub fn set_ready(&self, namespace: &str, issuer: &str, ready: bool) {
        self.ready.get_or_create(&labels(namespace, issuer)).set(ready.into());
    }

    /// Notes the signing keys of an issuer that can be read.
    pub fn set_keys(&self, namespace: &str, issuer: &str, keys: &[KeyStatus]) {
        for slot in key_labels(namespace, issuer) {
            let counts =
                |key: &&KeyStatus| (key.algorithm.as_str(), key.state.as_str()) == (slot.algorithm, slot.state);
            let count = keys.iter().filter(counts).count();
            self.keys.get_or_create(&slot).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Notes when the next signing key takes over: a moment that stays true while nobody passes by. `None`: none will.
    pub fn set_next_rotation(&self, namespace: &str, issuer: &str, at: Option<Timestamp>) {
        let labels = labels(namespace, issuer);
        match at {
            Some(at) => drop(self.next_rotation.get_or_create(&labels).set(at.as_duration().as_secs_f64())),
            None => drop(self.next_rotation.remove(&labels)),
        }
    }

    /// Notes a transition of a signing key.
    pub fn key_changed(&self, namespace: &str, issuer: &str, change: &'static str) {
        let IssuerLabels { namespace, issuer } = labels(namespace, issuer);
        self.key_changes.get_or_create(&TransitionLabels { namespace, issuer, change }).inc();
    }

    /// Forgets an issuer that is gone.
    pub fn forget(&self, namespace: &str, issuer: &str) {
        self.ready.remove(&labels(namespace, issuer));
        self.next_rotation.remove(&labels(namespace, issuer));
        for slot in key_labels(namespace, issuer) {
            self.keys.remove(&slot);
        }
        for change in Reason::ALL.iter().map(|reason| reason.as_str()) {
            let IssuerLabels { namespace, issuer } = labels(namespace, issuer);
            self.key_changes.remove(&TransitionLabels { namespace, issuer, change });
        }
    }

    /// As OpenMetrics text.
    ///
    /// # Errors
    /// Never in practice: writing to a text does not fail.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn key_labels<'a>(namespace: &'a str, issuer: &'a str) -> impl Iterator<Item = KeyLabels> + 'a {
    let slots = SigningAlgorithm::ALL.into_iter().flat_map(|algorithm| KeyState::ALL.map(|state| (algorithm, state)));
    slots.map(move |(algorithm, state)| {
        let IssuerLabels { namespace, issuer } = labels(namespace, issuer);
        KeyLabels { namespace, issuer, algorithm: algorithm.as_str(), state: state.as_str() }
    })
}

fn labels(namespace: &str, issuer: &str) -> IssuerLabels {
    IssuerLabels { namespace: namespace.to_owned(), issuer: issuer.to_owned() }
}
