//! How the Prometheus operator finds the pods (<https://prometheus-operator.dev/docs/api-reference/api/>).

use serde_json::{Value, json};
use vouch_crds::names::{label, port};

use super::{ValidIssuer, pod_labels, services};

pub(super) fn service_monitor(issuer: &ValidIssuer) -> Value {
    let mut labels = pod_labels(issuer);
    labels.insert(label::COMPONENT.to_owned(), services::METRICS.to_owned());
    json!({
        "spec": {
            "selector": {"matchLabels": labels},
            "endpoints": [{"port": port::METRICS, "path": "/metrics"}],
        },
    })
}
