//! What the listeners do with connections when there are too many.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabel {
    listener: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    listener: &'static str,
    limit: &'static str,
}

/// The connections' part of the metrics.
#[derive(Debug, Clone, Default)]
pub struct ConnectionMeter {
    open: Family<ListenerLabel, Gauge>,
    evicted: Family<ListenerLabel, Counter>,
    refused: Family<RefusalLabels, Counter>,
}

impl ConnectionMeter {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("connections", "Open connections, by listener", self.open.clone());
        let help = "Idle connections that were closed to make room for others, by listener";
        registry.register("connections_evicted", help, self.evicted.clone());
        let help = "Connections that were refused, by listener and by the limit that was reached (client: that of one address; \
                    total: that of the listener)";
        registry.register("connections_refused", help, self.refused.clone());
    }

    /// What one listener counts with.
    #[must_use]
    pub fn of(&self, listener: &'static str) -> ListenerMeter {
        let refused = |limit| self.refused.get_or_create_owned(&RefusalLabels { listener, limit });
        ListenerMeter {
            open: self.open.get_or_create_owned(&ListenerLabel { listener }),
            evicted: self.evicted.get_or_create_owned(&ListenerLabel { listener }),
            over_client_limit: refused("client"),
            over_total: refused("total"),
        }
    }
}

/// Counts the connections of one listener.
#[derive(Debug, Clone, Default)]
pub struct ListenerMeter {
    /// Open now.
    pub open: Gauge,
    /// Closed to make room for others.
    pub evicted: Counter,
    /// Refused, because their client had its part.
    pub over_client_limit: Counter,
    /// Refused, because the listener was full.
    pub over_total: Counter,
}
