//! What a structural schema says of a value apart from CEL: types, required members, enumerations, bounds, uniqueness,
//! and members that the schema does not know.
//!
//! An API server does this in a cluster. It covers the keywords that occur in the definitions of `vouch-crds`, and a
//! test fails when a definition begins to use another.

use std::collections::HashSet;

use serde_json::{Map, Value};
use vouch_crds::duration;

use super::document::join;

/// A field, and what is wrong with it.
pub(super) type Finding = (String, String);

/// Every violation, outermost first.
pub(super) fn check(schema: &Value, value: &Value, path: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    visit(schema, value, path, &mut findings);
    findings
}

/// Takes away the members that the schema does not know, as an API server does by the schema that it has. Where they stood.
pub(super) fn prune(schema: &Value, value: &mut Value, path: &str) -> Vec<String> {
    let mut pruned = Vec::new();
    match value {
        Value::Object(members) => {
            let known = schema.get("properties").and_then(Value::as_object);
            let additional = schema.get("additionalProperties").filter(|additional| additional.is_object());
            let keeps_unknown = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
            members.retain(|key, value| {
                let field = join(path, key);
                let schema = known.and_then(|known| known.get(key)).or(additional);
                match schema {
                    Some(schema) => pruned.extend(prune(schema, value, &field)),
                    None if keeps_unknown => {}
                    None => pruned.push(field),
                }
                schema.is_some() || keeps_unknown
            });
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let schema = schema.get("items").unwrap_or(&Value::Null);
                pruned.extend(prune(schema, item, &format!("{path}[{index}]")));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    pruned
}

/// The value without members that are `null`, which count as absent, as they do in an API server.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let present = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(present.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

fn visit(schema: &Value, value: &Value, path: &str, findings: &mut Vec<Finding>) {
    if let Some(reason) = wrong_type(schema, value) {
        findings.push((path.to_owned(), reason));
        return;
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array).filter(|allowed| !allowed.contains(value)) {
        // What may be left out may be empty as well, and nobody needs to be told that.
        let allowed: Vec<String> = allowed.iter().map(plain).filter(|allowed| !allowed.is_empty()).collect();
        findings.push((path.to_owned(), format!("is {}; must be one of {}", plain(value), allowed.join(", "))));
    }
    match value {
        Value::Object(members) => visit_object(schema, members, path, findings),
        Value::Array(items) => visit_list(schema, items, path, findings),
        Value::String(text) => {
            let length = text.chars().count();
            findings.extend(
                out_of_bounds(schema, ["minLength", "maxLength"], length, "characters").map(|r| (path.to_owned(), r)),
            );
        }
        Value::Number(number) => findings.extend(number_out_of_bounds(schema, number).map(|r| (path.to_owned(), r))),
        Value::Null | Value::Bool(_) => {}
    }
}

/// `None` when the type fits. Text is not the same as a number that looks alike: AWS accounts begin with zeros.
fn wrong_type(schema: &Value, value: &Value) -> Option<String> {
    let is_text_or_number = value.is_string() || value.is_i64() || value.is_u64();
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        return (!is_text_or_number).then(|| format!("must be text or a whole number, is {}", kind(value)));
    }
    let wanted = schema.get("type")?.as_str()?;
    let fits = match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => value.is_number(),
    };
    if fits {
        return None;
    }
    let wanted_words = match wanted {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "a number",
    };
    if let Some(sentence) = duration::form_sentence(schema) {
        return Some(sentence.to_owned());
    }
    let remedy =
        if wanted == "string" && (value.is_number() || value.is_boolean()) { "; put it in quotes" } else { "" };
    Some(format!("must be {wanted_words}, is {}{remedy}", kind(value)))
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn visit_object(schema: &Value, members: &Map<String, Value>, path: &str, findings: &mut Vec<Finding>) {
    let bounds = out_of_bounds(schema, ["minProperties", "maxProperties"], members.len(), "members");
    findings.extend(bounds.map(|reason| (path.to_owned(), reason)));
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if members.get(required).is_none_or(Value::is_null) {
            findings.push((join(path, required), "is missing".to_owned()));
        }
    }
    let known = schema.get("properties").and_then(Value::as_object);
    let additional = schema.get("additionalProperties").filter(|additional| additional.is_object());
    let keeps_unknown = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    for (key, value) in members {
        let field = join(path, key);
        match known.and_then(|known| known.get(key)).or(additional) {
            Some(_) if value.is_null() => {}
            Some(schema) => visit(schema, value, &field, findings),
            None if keeps_unknown => {}
            None => findings.push((field, unknown(key, known))),
        }
    }
}

fn unknown(key: &str, known: Option<&Map<String, Value>>) -> String {
    let known: Vec<&str> = known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
    let close = known.iter().find(|name| name.eq_ignore_ascii_case(key) || is_one_edit_away(name, key));
    match close {
        Some(name) => format!("is unknown; did you mean {name}?"),
        None if known.is_empty() => "is unknown; nothing may stand here".to_owned(),
        None => format!("is unknown; what may stand here is {}", known.join(", ")),
    }
}

/// One letter added, left out or exchanged.
fn is_one_edit_away(a: &str, b: &str) -> bool {
    let (longer, shorter) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    if shorter.len() < 3 {
        return false;
    }
    let from_start = longer.chars().zip(shorter.chars()).take_while(|(x, y)| x == y).count();
    let rest = |text: &str, skip: usize| text.chars().skip(from_start + skip).collect::<String>();
    rest(longer, 1) == rest(shorter, 0) || rest(longer, 1) == rest(shorter, 1)
}

fn visit_list(schema: &Value, items: &[Value], path: &str, findings: &mut Vec<Finding>) {
    let bounds = out_of_bounds(schema, ["minItems", "maxItems"], items.len(), "entries");
    findings.extend(bounds.map(|reason| (path.to_owned(), reason)));
    let mut seen = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        let field = format!("{path}[{index}]");
        if let Some(key) = identity(schema, item)
            && !seen.insert(key.clone())
        {
            findings.push((field.clone(), format!("{key} is there already; once is enough")));
        }
        if let Some(schema) = schema.get("items") {
            visit(schema, item, &field, findings);
        }
    }
}

/// By what an entry may stand in a list only once.
fn identity(schema: &Value, item: &Value) -> Option<String> {
    match schema.get("x-kubernetes-list-type")?.as_str()? {
        "set" => Some(plain(item)),
        "map" => {
            let keys = schema.get("x-kubernetes-list-map-keys")?.as_array()?;
            let values = keys.iter().map(|key| item.get(key.as_str()?).map(plain)).collect::<Option<Vec<_>>>()?;
            Some(values.join(" "))
        }
        _ => None,
    }
}

fn out_of_bounds(schema: &Value, [min, max]: [&str; 2], length: usize, unit: &str) -> Option<String> {
    let bound = |name| schema.get(name).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok());
    match (bound(min), bound(max)) {
        (Some(1), _) if length == 0 => Some("must not be empty".to_owned()),
        (Some(min), _) if length < min => Some(format!("has {length} {unit}; must have at least {min}")),
        (_, Some(max)) if length > max => Some(format!("has {length} {unit}; must have at most {max}")),
        _ => None,
    }
}

fn number_out_of_bounds(schema: &Value, number: &serde_json::Number) -> Option<String> {
    let bound = |name| schema.get(name).and_then(Value::as_f64);
    let value = number.as_f64()?;
    match (bound("minimum"), bound("maximum")) {
        (Some(min), _) if value < min => Some(format!("is {number}; must be at least {min}")),
        (_, Some(max)) if value > max => Some(format!("is {number}; must be at most {max}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn findings(schema: &Value, value: &Value) -> Vec<String> {
        check(schema, value, "spec").into_iter().map(|(field, reason)| format!("{field}: {reason}")).collect()
    }

    #[test]
    fn every_violation_of_a_schema_is_found() {
        let schema = json!({
            "type": "object",
            "required": ["name", "absent"],
            "properties": {
                "name": {"type": "string", "maxLength": 3},
                "accounts": {"type": "array", "maxItems": 3, "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "count": {"type": "integer", "minimum": 1, "maximum": 9},
                "mode": {"type": "string", "enum": ["A", "B", ""]},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1},
                "roles": {
                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": {"type": "object", "properties": {"name": {"type": "string"}}}
                }
            }
        });
        let value = json!({
            "name": "long",
            "accounts": ["1", 2, "1", true],
            "count": 10,
            "mode": "C",
            "free": {"anything": [1, {}]},
            "labels": {"a": "b", "c": 1},
            "roles": [{"name": "x"}, {"name": "x"}],
            "acounts": [],
            "other": 1
        });
        let mut found = findings(&schema, &value);
        found.sort();
        assert_eq!(
            found,
            [
                "spec.absent: is missing",
                "spec.accounts: has 4 entries; must have at most 3",
                "spec.accounts[1]: must be text, is a number; put it in quotes",
                "spec.accounts[2]: 1 is there already; once is enough",
                "spec.accounts[3]: must be text, is true or false; put it in quotes",
                "spec.acounts: is unknown; did you mean accounts?",
                "spec.count: is 10; must be at most 9",
                "spec.labels.c: must be text, is a number; put it in quotes",
                "spec.labels: has 2 members; must have at most 1",
                "spec.mode: is C; must be one of A, B",
                "spec.name: has 4 characters; must have at most 3",
                "spec.other: is unknown; what may stand here is accounts, count, free, labels, mode, name, roles",
                "spec.roles[1]: x is there already; once is enough",
            ]
        );
    }

    #[test]
    fn a_member_that_is_null_is_absent_and_still_must_be_known() {
        let schema = json!({
            "type": "object",
            "required": ["a"],
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}, "list": {"items": {"type": "string"}}},
        });
        let value = json!({"a": null, "b": null, "c": null, "list": [null]});
        assert_eq!(
            findings(&schema, &value),
            [
                "spec.a: is missing",
                "spec.c: is unknown; what may stand here is a, b, list",
                "spec.list[0]: must be text, is null"
            ]
        );
        assert_eq!(without_nulls(value), json!({"list": [null]}));
    }

    #[test]
    fn a_close_name_is_suggested() {
        for (written, meant) in
            [("Session", "session"), ("sesion", "session"), ("sessions", "session"), ("zession", "session")]
        {
            let schema = json!({"type": "object", "properties": {"session": {}}});
            let value = json!({written: {}});
            assert_eq!(findings(&schema, &value), [format!("spec.{written}: is unknown; did you mean {meant}?")]);
        }
    }

    #[test]
    fn no_definition_uses_a_keyword_that_is_not_covered() {
        const COVERED: [&str; 19] = [
            "type",
            "properties",
            "required",
            "items",
            "additionalProperties",
            "enum",
            "minimum",
            "maximum",
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "maxProperties",
            "x-kubernetes-int-or-string",
            "x-kubernetes-preserve-unknown-fields",
            "x-kubernetes-list-type",
            "x-kubernetes-list-map-keys",
            // Evaluated by kube-cel; applied by kube-cel and by the types.
            "x-kubernetes-validations",
            "default",
        ];
        // Speaks to people; speaks of who owns a member; repeats the width of a number that only a cluster reads.
        const SILENT: [&str; 3] = ["description", "x-kubernetes-map-type", "format"];
        let mut used = BTreeSet::new();
        for definition in vouch_crds::definitions() {
            keywords(&definition.schema()["properties"]["spec"], &mut used);
        }
        let uncovered: Vec<_> =
            used.iter().filter(|k| !COVERED.contains(&k.as_str()) && !SILENT.contains(&k.as_str())).collect();
        assert_eq!(uncovered, Vec::<&String>::new());
    }

    fn keywords(schema: &Value, used: &mut BTreeSet<String>) {
        let Some(members) = schema.as_object() else { return };
        used.extend(members.keys().cloned());
        for child in members.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::values) {
            keywords(child, used);
        }
        for child in ["items", "additionalProperties"].into_iter().filter_map(|key| members.get(key)) {
            keywords(child, used);
        }
    }
}
