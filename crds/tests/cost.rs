//! An API server refuses a definition whose rules might cost too much, judged by the bounds of lists and texts. This
//! keeps the estimates of cel-go for the rules that can become dear: patterns on texts in lists in lists.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;

/// For one rule, and for all rules of a definition (`k8s.io/apiextensions-apiserver`, `validation.go`:
/// `StaticEstimatedCostLimit`, `StaticEstimatedCRDCostLimit`).
const RULE_LIMIT: u64 = 10_000_000;
const DEFINITION_LIMIT: u64 = 100_000_000;
/// The largest request that an API server takes.
const REQUEST_BYTES: u64 = 3 * 1024 * 1024;

#[test]
fn no_rule_and_no_definition_is_dearer_than_an_api_server_grants() {
    for definition in vouch_crds::definitions() {
        let mut total = 0;
        add(definition.schema(), 1, definition.kind, &mut total);
        assert!(total <= DEFINITION_LIMIT, "{}: {total}", definition.kind);
    }
}

fn add(schema: &Value, times: u64, path: &str, total: &mut u64) {
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
    for rule in rules.map(|rule| rule["rule"].as_str().unwrap()) {
        let cost = times * cost(rule, schema, path);
        assert!(cost <= RULE_LIMIT, "{path}: {rule} costs {cost}; lower the bounds of the lists and texts around it");
        *total += cost;
    }
    for (name, child) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        add(child, times, &format!("{path}.{name}"), total);
    }
    if let Some(items) = schema.get("items") {
        let most = schema.get("maxItems").and_then(Value::as_u64);
        let bounded = most.unwrap_or_else(|| {
            assert!(
                !items.to_string().contains("x-kubernetes-validations"),
                "{path}: a list with rules needs maxItems"
            );
            1
        });
        add(items, times * bounded, &format!("{path}[]"), total);
    }
}

/// A pattern costs a tenth of the text's bytes, of which a character may have four, times a quarter of its own length.
fn cost(rule: &str, schema: &Value, path: &str) -> u64 {
    if !rule.contains(".matches(") {
        return 1;
    }
    // Older API servers do not see the bound of what is a text or a number (`cel/common/schemas.go` of `k8s.io/apiserver`).
    let is_about_amounts = rule.contains("isQuantity(");
    let bounds = if is_about_amounts { Some((1, REQUEST_BYTES / 4)) } else { texts(rule, schema, path) };
    let Some((texts, length)) = bounds else { return 1 };
    let traversal = (4 * length).div_ceil(10);
    let patterns = rule.split(".matches('").skip(1).map(|rest| rest.split("')").next().unwrap());
    // A backslash is written twice.
    let lengths = patterns.map(|pattern| pattern.replace(r"\\", r"\").len() as u64);
    let cost = 1 + texts * lengths.map(|pattern| traversal * pattern.div_ceil(4)).sum::<u64>();
    // What makes a text of it, compares that, and reads it goes through all of it as well.
    let times = |call: &str| rule.matches(call).count() as u64;
    let traversals = 2 * times("string(self") + times("isQuantity(self") + times("quantity(self");
    if is_about_amounts { cost + traversal * traversals } else { cost }
}

/// How many texts a rule looks at, and how long each may be.
fn texts(rule: &str, schema: &Value, path: &str) -> Option<(u64, u64)> {
    let bound = |schema: &Value, name: &str| {
        schema.get(name).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path}: what has rules needs {name}"))
    };
    match schema.get("type").and_then(Value::as_str)? {
        "string" => Some((1, bound(schema, "maxLength"))),
        // A schema cannot bound keys; the longest that Kubernetes knows has 317 characters.
        "object" => {
            let values = schema.get("additionalProperties")?;
            let longest = if rule.contains("self[key]") { bound(values, "maxLength").max(317) } else { 317 };
            Some((bound(schema, "maxProperties"), longest))
        }
        _ => None,
    }
}
