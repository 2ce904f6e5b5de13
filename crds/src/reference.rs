//! The page that documents the resources, written from their schemas: what an API server enforces and what people read
//! cannot differ.

use serde_json::{Map, Value};

use crate::{Definition, definitions, duration};

/// The whole page, as Markdown.
#[must_use]
pub fn page() -> String {
    let mut page = "# Resources\n\n\
        <!-- Written by `cargo run -p vouch-crds --example generate`; a test compares. -->\n\n\
        A cluster takes these objects by `kubectl apply`; an issuer that runs alone reads the same ones from a file. Both \
        refuse an object that breaks a rule below, in the words of that rule. A duration is a whole number and one unit: \
        `90s`, `15m`, `8h`, `30d`.\n"
        .to_owned();
    for definition in definitions() {
        section(&definition, &mut page);
    }
    page
}

fn section(definition: &Definition, page: &mut String) {
    let short = definition.manifest.pointer("/spec/names/shortNames/0").and_then(Value::as_str).unwrap_or_default();
    let schema = definition.schema();
    page.push_str(&format!("\n## {}\n\n{} Short name: `{short}`.\n\n", definition.kind, text(schema, "description")));
    page.push_str("| field | type | default | meaning |\n|---|---|---|---|\n");
    if let Some(spec) = schema.pointer("/properties/spec") {
        let rules = sentences(spec);
        if !rules.is_empty() {
            page.push_str(&format!("| `spec` | object | required | {} |\n", rules.join(" ")));
        }
        members(spec, "spec", page);
    }
}

fn members(schema: &Value, path: &str, page: &mut String) {
    let required: Vec<&str> = list(schema, "required").filter_map(Value::as_str).collect();
    for (name, member) in properties(schema) {
        let path = format!("{path}.{name}");
        let default = match member.get("default") {
            _ if required.contains(&name.as_str()) => "required".to_owned(),
            Some(default) if !default.is_object() || member.get("required").is_some() => format!("`{default}`"),
            _ => String::new(),
        };
        let item = member.get("items");
        let described = text(member, "description").split_whitespace().collect::<Vec<_>>().join(" ");
        let rules = sentences(member).into_iter().chain(item.into_iter().flat_map(sentences));
        let meaning: Vec<String> = std::iter::once(described).chain(rules).filter(|part| !part.is_empty()).collect();
        page.push_str(&format!("| `{path}` | {} | {default} | {} |\n", kind(member), meaning.join(" ")));
        members(member, &path, page);
        if let Some(item) = item {
            members(item, &format!("{path}[]"), page);
        }
    }
}

fn kind(schema: &Value) -> String {
    // That "" is as good as nothing need not be said.
    let values = list(schema, "enum").filter_map(Value::as_str).filter(|value| !value.is_empty());
    let values: Vec<String> = values.map(|value| format!("`{value}`")).collect();
    if !values.is_empty() {
        return values.join(", ");
    }
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        return "text or whole number".to_owned();
    }
    match (text(schema, "type"), schema.get("items"), schema.get("additionalProperties")) {
        ("array", Some(item), _) => format!("list of {}", kind(item)),
        ("object", _, Some(_)) => "map".to_owned(),
        ("string", ..) if rules(schema).any(is_form_of_durations) => "duration".to_owned(),
        ("string", ..) => "text".to_owned(),
        ("integer", ..) => range(schema),
        (other, ..) => other.to_owned(),
    }
}

fn range(schema: &Value) -> String {
    match (schema.get("minimum").and_then(Value::as_f64), schema.get("maximum").and_then(Value::as_f64)) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        _ => "integer".to_owned(),
    }
}

/// The rules as sentences. What never changes, and the form of durations, is said elsewhere.
fn sentences(schema: &Value) -> Vec<String> {
    let told = rules(schema).filter(|rule| !text(rule, "rule").contains("oldSelf") && !is_form_of_durations(rule));
    told.map(|rule| {
        let message = text(rule, "message").replace('*', "\\*");
        let mut letters = message.chars();
        match (text(rule, "fieldPath"), letters.next()) {
            ("", Some(first)) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
            (field, _) => format!("`{}`: {message}.", field.trim_start_matches('.')),
        }
    })
    .collect()
}

fn rules(schema: &Value) -> impl Iterator<Item = &Value> {
    list(schema, "x-kubernetes-validations")
}

fn is_form_of_durations(rule: &Value) -> bool {
    duration::is_form_sentence(text(rule, "message"))
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    value.get(member).and_then(Value::as_array).into_iter().flatten()
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}
