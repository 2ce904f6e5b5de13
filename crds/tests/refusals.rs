//! Every CEL rule, on a real API server: for each there is an object that only it forbids, and `kubectl apply` refuses
//! that with the rule's own sentence, at the rule's own place. No webhook and no operator is needed for that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "refusals/invalid.rs"]
mod invalid;

use std::collections::BTreeMap;

use kube_cel::{Validator, compile_schema};
use serde_json::{Value, json};
use vouch_control_plane::ControlPlane;

/// A rule of a schema.
#[derive(Debug)]
struct Rule {
    message: String,
    /// Where a refusal says that the mistake is.
    reported_at: String,
    /// Compares an object with what it was.
    is_transition: bool,
}

/// The rules of every schema, in their order, by kind and place: `VouchIssuer.spec.url`.
fn rules() -> BTreeMap<String, Vec<Rule>> {
    let mut found = BTreeMap::new();
    for definition in vouch_crds::definitions() {
        collect(definition.schema(), definition.kind, &mut found);
    }
    found
}

fn collect(schema: &Value, place: &str, found: &mut BTreeMap<String, Vec<Rule>>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let path = place.split_once('.').map_or("", |(_, path)| path).replace("[]", "[0]");
        found.entry(place.to_owned()).or_default().push(Rule {
            message: rule["message"].as_str().unwrap_or_else(|| panic!("{place} has a rule without words")).to_owned(),
            reported_at: path + rule["fieldPath"].as_str().unwrap_or_default(),
            is_transition: rule["rule"].as_str().unwrap().contains("oldSelf"),
        });
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        collect(member, &format!("{place}.{name}"), found);
    }
    if schema["items"].is_object() {
        collect(&schema["items"], &format!("{place}[]"), found);
    }
    assert!(
        !schema["additionalProperties"].to_string().contains("x-kubernetes-validations"),
        "{place}: a rule in a map"
    );
}

/// An object in which everything is right.
fn valid(kind: &str, name: &str) -> Value {
    let spec = invalid::valid_spec(kind);
    json!({"apiVersion": "vouch.sh/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec})
}

/// Changes what is at a place, as a JSON merge patch does (RFC 7396); of a list, the first element.
fn change(object: &mut Value, place: &str, value: &Value) {
    let names = place.split('.').skip(1);
    let target = names.fold(object, |target, name| match name.strip_suffix("[]") {
        Some(list) => &mut target[list][0],
        None => &mut target[name],
    });
    merge(target, value);
}

fn merge(target: &mut Value, patch: &Value) {
    match (target.as_object_mut(), patch.as_object()) {
        (Some(target), Some(patch)) => {
            for (name, value) in patch {
                if value.is_null() {
                    target.remove(name);
                } else {
                    merge(target.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        _ => *target = patch.clone(),
    }
}

/// What kubectl says of one of several objects.
fn words_about<'a>(words: &'a str, object: &Value) -> &'a str {
    let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
    let head = format!("{kind}.vouch.sh \"{name}\" is invalid: ");
    let line = words.lines().find_map(|line| line.split_once(&head));
    line.unwrap_or_else(|| panic!("{kind} {name} is not refused: {object:#}")).1
}

fn stream<'a>(objects: impl IntoIterator<Item = &'a Value>) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects.into_iter().collect::<Vec<_>>()}).to_string()
}

#[test]
fn what_no_schema_knows_is_refused_by_name() {
    for definition in vouch_crds::definitions() {
        let mut object = valid(definition.kind, "unheard-of");
        object["spec"]["unheardOf"] = json!(1);
        let words = ControlPlane::shared().refuses(&object, &["--dry-run=server"]);
        assert!(words.contains("field not declared in schema") && words.contains("unheardOf"), "{words}");
        // As people apply it, who choose nothing.
        let words = ControlPlane::shared().apply(&object.to_string(), &["--dry-run=server"]).refusal();
        assert!(words.contains("unknown field \"spec.unheardOf\""), "{words}");
    }
}

#[test]
fn whatever_is_no_duration_meets_one_sentence_with_the_form_and_the_bounds() {
    let rules = rules();
    let is_duration = |rules: &&Rule| rules.message.starts_with("must be a whole number and one unit");
    let durations: Vec<(&String, &Rule)> =
        rules.iter().filter_map(|(place, rules)| Some((place, rules.first().filter(is_duration)?))).collect();
    assert!(durations.len() > 8, "{durations:?}");
    let texts = ["forever", "90", "", "8H", &"8h ".repeat(300)];
    let cases = durations.iter().flat_map(|(place, rule)| texts.map(|text| (*place, *rule, text)));
    let cases: Vec<(&Rule, Value)> = cases
        .enumerate()
        .map(|(number, (place, rule, text))| {
            let mut object = valid(place.split('.').next().unwrap(), &format!("duration-{number}"));
            change(&mut object, place, &json!(text));
            (rule, object)
        })
        .collect();
    let objects = stream(cases.iter().map(|(_, object)| object));
    let judged = ControlPlane::shared().apply(&objects, &["--dry-run=server"]).refusal();
    for (rule, object) in &cases {
        let words = words_about(&judged, object);
        assert!(words.starts_with(&rule.reported_at) && words.ends_with(&format!(": {}", rule.message)), "{words}");
    }
    let (_, lifetime) = durations.iter().find(|(place, _)| *place == "VouchIssuer.spec.session.lifetime").unwrap();
    assert_eq!(lifetime.message, "must be a whole number and one unit (s, m, h or d), from 5m to 24h");
}

#[test]
fn every_rule_refuses_with_its_sentence() {
    let (rules, invalid) = (rules(), invalid::values());
    for (place, rules) in &rules {
        let values = invalid.get(place.as_str()).map_or(0, Vec::len);
        assert_eq!(values, rules.len(), "{place} has these rules, and needs an invalid value for each: {rules:#?}");
    }
    assert_eq!(rules.len(), invalid.len(), "a place without a rule is among the invalid values");

    let control_plane = ControlPlane::shared();
    let mut taken: Vec<Value> = vouch_crds::definitions().iter().map(|of| valid(of.kind, "valid")).collect();
    let mut cases = Vec::new();
    for (number, (place, rule, value)) in rules
        .iter()
        .flat_map(|(place, rules)| {
            rules.iter().zip(&invalid[place.as_str()]).map(move |(rule, value)| (place, rule, value))
        })
        .enumerate()
    {
        let kind = place.split('.').next().unwrap();
        let mut object = valid(kind, &format!("rule-{number}"));
        if rule.is_transition {
            taken.push(object.clone());
        }
        change(&mut object, place, value);
        cases.push((place, rule, object));
    }
    control_plane.apply(&stream(&taken), &["--validate=strict"]).answer();
    let judged = control_plane.apply(&stream(cases.iter().map(|(.., object)| object)), &["--dry-run=server"]).refusal();
    assert!(!judged.contains("alice:secret"), "a password in a URL is repeated: {judged}");
    let told = |(place, rule, object): &(&String, &Rule, Value)| {
        let words = words_about(&judged, object);
        let at = format!("{}: Invalid value: ", rule.reported_at);
        let as_it_should = words.contains(&rule.message) && words.contains(&at);
        (!as_it_should).then(|| format!("{place}: expected {at:?} and {:?} in: {words}", rule.message))
    };
    // An issuer that runs alone evaluates the same rules by itself.
    let told_alone = |(place, rule, object): &(&String, &Rule, Value)| {
        let definition = vouch_crds::definition(place.split('.').next().unwrap()).unwrap();
        let old = rule.is_transition.then(|| valid(definition.kind, object["metadata"]["name"].as_str().unwrap()));
        let refused = Validator::new().validate_compiled(&compile_schema(definition.schema()), object, old.as_ref());
        let words: Vec<String> = refused.err().into_iter().flatten().map(|error| error.message).collect();
        (!words.contains(&rule.message)).then(|| format!("{place}: alone, expected {:?} in: {words:?}", rule.message))
    };
    let faults: Vec<String> = cases.iter().filter_map(told).chain(cases.iter().filter_map(told_alone)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}
