//! What the issuer counts, for Prometheus.
//!
//! Labels are closed sets (routes of the table, error codes, actions): nothing a client sends ever becomes a label.

mod connections;
pub mod reference;
mod store;

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use vouch_issuer_api::error::ErrorCode;

pub use self::{
    connections::{ConnectionMeter, ListenerMeter},
    store::{MeteredStore, StoreMeter},
};
use crate::audit::Action;

/// Seconds; from a static answer (tens of microseconds) to a held request.
const REQUEST_BUCKETS: [f64; 12] = [0.0001, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    action: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    operation: &'static str,
}

/// Counts security events; the audit trail feeds it, so that trail and metrics cannot differ.
#[derive(Debug, Clone, Default)]
pub struct EventCounter {
    events: Family<EventLabels, Counter>,
    lost: Counter,
}

impl EventCounter {
    /// Adds one event.
    pub fn count(&self, action: Action, refused: bool) {
        let outcome = if refused { "refused" } else { "done" };
        self.events.get_or_create(&EventLabels { action: action.as_str(), outcome }).inc();
    }

    /// Adds a line that is not on the trail.
    pub fn lose(&self) {
        self.lost.inc();
    }

    /// Lines that are not on the trail.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }
}

/// The issuer's metrics.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabel, Histogram, fn() -> Histogram>,
    refusals: Family<CodeLabel, Counter>,
    events: EventCounter,
    keys: Family<StateLabel, Gauge>,
    next_rotation: Gauge<f64, AtomicU64>,
    audit_up: Gauge,
    key_store_up: Gauge,
    configuration_up: Gauge,
    store_up: Gauge,
    certificate_up: Gauge,
    reload_refused: Gauge,
    limited_addresses: Gauge,
    store: StoreMeter,
    connections: ConnectionMeter,
}

/// What only shows when somebody looks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gauges {
    /// Signing keys in each state.
    pub keys: Vec<(&'static str, i64)>,
    /// Seconds until the planner changes a signing key; negative when it is overdue, not a number when it never will.
    pub next_rotation: f64,
    /// Whether lines of the audit trail are written.
    pub audit_up: bool,
    /// Whether the key store could be read the last time, and tells of changes.
    pub key_store_up: bool,
    /// Whether a change of the configuration would be noticed.
    pub configuration_up: bool,
    /// Whether the store is current and takes writes.
    pub store_up: bool,
    /// Whether the configuration on disk was refused.
    pub reload_refused: bool,
    /// Addresses and accounts the rate limiter remembers.
    pub limited: usize,
}

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let request_histogram: fn() -> Histogram = || Histogram::new(REQUEST_BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix("vouch_issuer"),
            requests: Family::default(),
            durations: Family::new_with_constructor(request_histogram),
            refusals: Family::default(),
            events: EventCounter::default(),
            keys: Family::default(),
            next_rotation: Gauge::default(),
            audit_up: Gauge::default(),
            key_store_up: Gauge::default(),
            configuration_up: Gauge::default(),
            store_up: Gauge::default(),
            certificate_up: Gauge::default(),
            reload_refused: Gauge::default(),
            limited_addresses: Gauge::default(),
            store: StoreMeter::default(),
            connections: ConnectionMeter::default(),
        };
        metrics.certificate_up.set(1);
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        r.register("build", "The running program", build);
        r.register("requests", "Answered requests, by route, method and status", self.requests.clone());
        let help = "Time from the request's head to the answer's head, by route";
        r.register_with_unit("request_duration", help, Unit::Seconds, self.durations.clone());
        r.register("refusals", "Refused requests, by error code", self.refusals.clone());
        r.register("events", "Security events as in the audit trail (login, minted, ...)", self.events.events.clone());
        let help = "Audit lines that were lost because the trail took none and too many waited";
        r.register("audit_lines_lost", help, self.events.lost.clone());
        let help = "0 while audit lines cannot be written; nobody signs in or gets credentials then";
        r.register("audit_up", help, self.audit_up.clone());
        r.register("signing_keys", "Signing keys, by state", self.keys.clone());
        let help = "Time until the planner changes a signing key; negative: overdue";
        r.register_with_unit("next_rotation", help, Unit::Seconds, self.next_rotation.clone());
        r.register("key_store_up", "1 when the signing keys can be read and are current", self.key_store_up.clone());
        let help = "0 while changes of the configuration are not seen and what was known stays in force";
        r.register("configuration_up", help, self.configuration_up.clone());
        r.register("store_up", "0 while the store is read from memory and takes no writes", self.store_up.clone());
        r.register("certificate_up", "0 when the TLS files on disk could not be taken", self.certificate_up.clone());
        let help = "1 when the configuration on disk is wrong and the previous one stays in force";
        r.register("reload_refused", help, self.reload_refused.clone());
        r.register(
            "rate_limited_keys",
            "Addresses and accounts remembered by the limiter",
            self.limited_addresses.clone(),
        );
        let help = "Time the store took, by operation";
        r.register_with_unit("store_duration", help, Unit::Seconds, self.store.durations.clone());
        let help = "Store calls that failed, by operation; a conflict is not a failure";
        r.register("store_failures", help, self.store.failures.clone());
        self.connections.register(r);
    }

    /// Counts an answered request. `route` is the pattern of the route table, never the path of the request.
    pub fn request(&self, route: &'static str, method: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { route, method, status }).inc();
        self.durations.get_or_create(&RouteLabel { route }).observe(took.as_secs_f64());
    }

    /// Counts a refusal.
    pub fn refused(&self, code: ErrorCode) {
        self.refusals.get_or_create(&CodeLabel { code: code.as_str() }).inc();
    }

    /// What the audit trail counts with.
    #[must_use]
    pub fn events(&self) -> EventCounter {
        self.events.clone()
    }

    /// Says whether the TLS files on disk are the ones in use.
    pub fn certificate(&self, taken: bool) {
        self.certificate_up.set(taken.into());
    }

    /// What a [`MeteredStore`] measures with.
    #[must_use]
    pub fn store_meter(&self) -> StoreMeter {
        self.store.clone()
    }

    /// What listeners count their connections with.
    #[must_use]
    pub fn connection_meter(&self) -> ConnectionMeter {
        self.connections.clone()
    }

    /// The text of `/metrics` (OpenMetrics 1.0).
    ///
    /// # Errors
    /// Never in practice: only when formatting into memory fails.
    pub fn render(&self, now: &Gauges) -> Result<String, std::fmt::Error> {
        for &(state, count) in &now.keys {
            self.keys.get_or_create(&StateLabel { state }).set(count);
        }
        self.next_rotation.set(now.next_rotation);
        self.audit_up.set(now.audit_up.into());
        self.key_store_up.set(now.key_store_up.into());
        self.configuration_up.set(now.configuration_up.into());
        self.store_up.set(now.store_up.into());
        self.reload_refused.set(now.reload_refused.into());
        self.limited_addresses.set(i64::try_from(now.limited).unwrap_or(i64::MAX));
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn counts_what_was_asked_and_how_it_ended() {
        let metrics = Metrics::new();
        metrics.request("/oauth/token", "POST", 400, Duration::from_millis(2));
        metrics.refused(ErrorCode::InvalidGrant);
        metrics.events().count(Action::Login, true);
        let gauges = Gauges { keys: vec![("Active", 1)], next_rotation: 60.0, key_store_up: true, ..Gauges::default() };
        let text = metrics.render(&gauges).unwrap();
        for line in [
            "vouch_issuer_requests_total{route=\"/oauth/token\",method=\"POST\",status=\"400\"} 1",
            "vouch_issuer_refusals_total{code=\"invalid_grant\"} 1",
            "vouch_issuer_events_total{action=\"login\",outcome=\"refused\"} 1",
            "vouch_issuer_signing_keys{state=\"Active\"} 1",
            "vouch_issuer_next_rotation_seconds 60.0",
            "vouch_issuer_key_store_up 1",
            "vouch_issuer_request_duration_seconds_bucket{le=\"0.0025\",route=\"/oauth/token\"} 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
