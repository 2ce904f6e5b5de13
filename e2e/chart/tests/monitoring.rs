//! Alerts and the dashboard ask only for metrics and labels that the programs have.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use vouch_operator::metrics::Metrics;

use crate::support::{render, the};

/// Labels that Prometheus adds to what it reads, or takes away from a histogram.
const ADDED: [&str; 4] = ["namespace", "pod", "service", "le"];

/// The labels of every metric, by its name as it is queried.
pub(crate) fn metrics() -> BTreeMap<String, Vec<String>> {
    let mut known = BTreeMap::new();
    for metric in vouch_issuer::metrics::reference::described() {
        let suffixes: &[&str] = if metric.kind == "histogram" { &["_bucket", "_count", "_sum"] } else { &[""] };
        for suffix in suffixes {
            known.insert(format!("{}{suffix}", metric.name), metric.labels.clone());
        }
    }
    for line in one_of_each().lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(['{', ' ']).unwrap();
        let labels = rest.split_once('}').map(|(labels, _)| labels).unwrap_or_default();
        let names = labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
        known.insert(name.to_owned(), names.collect());
    }
    known
}

/// What the operator shows when everything has happened once.
fn one_of_each() -> String {
    let metrics = Metrics::new();
    metrics.set_leading(true);
    metrics.reconciled("k", "o", Duration::ZERO);
    metrics.requested("v", "r", 200, Some(Duration::ZERO));
    metrics.set_ready("n", "i", true);
    metrics.set_keys("n", "i", &[]);
    metrics.set_next_rotation("n", "i", Some("2026-01-01T00:00:00Z".parse().unwrap()));
    metrics.key_changed("n", "i", "c");
    metrics.render().unwrap()
}

/// The metrics in an expression, each with the labels that it is selected by.
fn selectors(expression: &str) -> Vec<(String, Vec<String>)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = expression.match_indices("vouch_").filter(|(at, _)| !expression[..*at].ends_with(is_name));
    starts
        .map(|(at, _)| {
            let rest = &expression[at..];
            let (name, rest) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
            let inside = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(inside, _)| inside);
            let labels = inside.split(',').filter_map(|part| part.trim().split(['=', '!']).next());
            (name.to_owned(), labels.filter(|label| !label.is_empty()).map(ToOwned::to_owned).collect())
        })
        .collect()
}

/// The labels that an expression's results are grouped by.
fn groupings(expression: &str) -> Vec<&str> {
    let lists = expression.split("by (").skip(1).filter_map(|rest| rest.split_once(')'));
    lists.flat_map(|(list, _)| list.split(',').map(str::trim)).collect()
}

fn check(expression: &str) {
    let known = metrics();
    let selectors = selectors(expression);
    let mut available: Vec<&str> = ADDED.to_vec();
    for (name, labels) in &selectors {
        let has = known.get(name).unwrap_or_else(|| panic!("there is no {name}, in: {expression}"));
        available.extend(has.iter().map(String::as_str));
        for label in labels {
            let fits = has.contains(label) || ADDED.contains(&label.as_str());
            assert!(fits, "{name} has no label {label}, in: {expression}");
        }
    }
    for label in groupings(expression) {
        assert!(available.contains(&label), "nothing has a label {label}, in: {expression}");
    }
    let count = |c: char| expression.matches(c).count();
    assert_eq!((count('('), count('{'), count('[')), (count(')'), count('}'), count(']')), "{expression}");
}

#[test]
fn every_alert_asks_for_what_there_is_and_says_what_to_do() {
    let objects = render(&["metrics.rules.enabled=true", "metrics.rules.alertLabels.team=identity"]);
    let groups = the(&objects, "PrometheusRule")["spec"]["groups"].as_array().unwrap();
    let alerts: Vec<&Value> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert_eq!(alerts.len(), 16);
    for alert in alerts {
        let expression = alert["expr"].as_str().unwrap();
        assert!(!selectors(expression).is_empty(), "{expression}");
        check(expression);
        assert_eq!(alert["labels"]["team"], "identity");
        assert!(["warning", "critical"].contains(&alert["labels"]["severity"].as_str().unwrap()));
        for text in ["summary", "description"] {
            let text = alert["annotations"][text].as_str().unwrap_or_else(|| panic!("{alert} has no {text}"));
            assert!(text.ends_with('.'), "{text}");
        }
    }
}

#[test]
fn every_panel_asks_for_what_there_is() {
    let objects = render(&["metrics.dashboard.enabled=true"]);
    let text = the(&objects, "ConfigMap")["data"]["vouch.json"].as_str().unwrap();
    let dashboard: Value = serde_json::from_str(text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let expressions: Vec<&str> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    assert!(expressions.len() >= panels.iter().filter(|panel| panel["type"] != "row").count());
    for expression in expressions {
        assert!(!selectors(expression).is_empty(), "{expression}");
        check(expression);
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap().iter().skip(1) {
        let query = variable["definition"].as_str().unwrap();
        assert!(!selectors(query).is_empty(), "{query}");
        check(query);
    }
}

#[test]
fn a_metric_about_an_issuer_keeps_the_namespace_of_the_issuer() {
    for kind in ["podMonitor", "serviceMonitor"] {
        let objects =
            render(&[&format!("metrics.{kind}.enabled=true"), &format!("metrics.{kind}.labels.release=prometheus")]);
        let kind = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
        let monitor = the(&objects, &kind);
        assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
        let spec = &monitor["spec"];
        let endpoint = spec.get("podMetricsEndpoints").or_else(|| spec.get("endpoints")).unwrap();
        assert_eq!((&endpoint[0]["honorLabels"], &endpoint[0]["port"]), (&Value::Bool(true), &Value::from("metrics")));
    }
}
