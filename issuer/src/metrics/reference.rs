//! What there is to scrape, for the reference: read off the metrics themselves, so that it cannot differ.

use std::time::Duration;

use vouch_issuer_api::error::ErrorCode;

use super::{Gauges, Metrics};
use crate::audit::Action;

/// One metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// As it is queried; of a histogram without `_bucket`, `_count` and `_sum`.
    pub name: String,
    /// As in OpenMetrics: `counter`, `gauge`, `histogram` or `info`.
    pub kind: String,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// What it says.
    pub help: String,
}

/// Every metric, in the order of the exposition.
#[must_use]
pub fn described() -> Vec<Described> {
    let text = one_of_each().unwrap_or_default();
    let mut found: Vec<Described> = Vec::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            let help = help.trim_end_matches('.').to_owned();
            found.push(Described { name: name.to_owned(), kind: String::new(), labels: Vec::new(), help });
        } else if let Some(last) = found.last_mut() {
            match line.strip_prefix("# TYPE ").and_then(|rest| rest.rsplit_once(' ')) {
                Some((_, kind)) => kind.clone_into(&mut last.kind),
                None => describe_sample(last, line),
            }
        }
    }
    found
}

/// Takes name and labels off the first sample of a metric.
fn describe_sample(metric: &mut Described, line: &str) {
    let Some((name, rest)) = line.split_once(['{', ' ']).filter(|_| !line.starts_with('#')) else { return };
    if metric.kind != "histogram" {
        name.clone_into(&mut metric.name);
    }
    let labels = rest.split_once('}').map(|(labels, _)| labels).unwrap_or_default();
    let names = labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name);
    for name in names.filter(|name| *name != "le") {
        if !metric.labels.iter().any(|known| known == name) {
            metric.labels.push(name.to_owned());
        }
    }
}

/// An exposition in which no metric is left out for want of samples.
fn one_of_each() -> Result<String, std::fmt::Error> {
    let metrics = Metrics::new();
    metrics.request("", "", 200, Duration::ZERO);
    metrics.refused(ErrorCode::InvalidRequest);
    metrics.events().count(Action::Login, false);
    metrics.store_meter().call("", Duration::ZERO, true);
    let _ = metrics.connection_meter().of("");
    metrics.render(&Gauges { keys: vec![("", 0)], ..Gauges::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_metric_is_described_with_its_labels() {
        let described = described();
        // One call of `register` each, besides those that the parts make.
        let registered = include_str!("../metrics.rs").matches("r.register").count()
            + include_str!("connections.rs").matches("registry.register").count();
        assert_eq!(described.len(), registered, "{described:#?}");
        let refused = described.iter().find(|metric| metric.name == "vouch_issuer_connections_refused_total");
        assert_eq!(refused.map(|metric| metric.labels.join(",")).as_deref(), Some("listener,limit"));
        assert!(described.iter().all(|metric| !metric.kind.is_empty() && !metric.help.is_empty()), "{described:#?}");
    }
}
