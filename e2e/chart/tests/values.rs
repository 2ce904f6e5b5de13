//! What is no value of the chart is refused, in words.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::support::helms;

fn values() -> Value {
    serde_saphyr::from_str(&fs::read_to_string(vouch_chart::chart().join("values.yaml")).unwrap()).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(vouch_chart::chart().join("values.schema.json")).unwrap()).unwrap()
}

fn refusal(set: &str) -> [String; 2] {
    helms().map(|helm| match helm.try_render(&[set]) {
        Ok(_) => panic!("{} takes {set}", helm.version()),
        Err(words) => words,
    })
}

/// Every object of the chart's own that has named members.
fn closed(schema: &Value, path: &str, found: &mut Vec<String>) {
    if schema["additionalProperties"] == false {
        found.push(path.to_owned());
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        closed(member, &format!("{path}{name}."), found);
    }
}

#[test]
fn a_value_that_does_not_exist_is_refused_wherever_it_stands() {
    let mut places = Vec::new();
    closed(&schema(), "", &mut places);
    assert!(places.len() > 10, "{places:?}");
    for place in places {
        for words in refusal(&format!("{place}unheardOf=1")) {
            assert!(words.contains("unheardOf"), "{words}");
        }
    }
}

#[test]
fn a_value_that_cannot_be_is_refused_with_its_name() {
    for (set, name) in [
        ("replicas=-1", "replicas"),
        ("replicas=two", "replicas"),
        ("scope=Everything", "scope"),
        ("namespaces={A}", "namespaces"),
        ("namespaces={a,a}", "namespaces"),
        ("image.digest=sha256:12", "digest"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("image.repository=Vouch", "repository"),
        ("issuerImage.tag=-x", "tag"),
        ("global.imageRegistry=https://x y", "imageRegistry"),
        ("operator.concurrency=0", "concurrency"),
        ("operator.qps=0", "qps"),
        ("operator.log=", "log"),
        ("operator.logFormat=xml", "logFormat"),
        ("operator.lease.duration=15", "duration"),
        ("crds.install=perhaps", "install"),
        ("commonLabels.a=1", "commonLabels"),
        ("test.url=http://vouch.example.com", "url"),
        ("test.url=https://vouch.example.com/", "url"),
        ("test.connectTo=vouch", "connectTo"),
        ("affinity.podAffinitie.x=y", "podAffinitie"),
        ("metrics.podMonitor.interval=often", "interval"),
        ("tolerations=x", "tolerations"),
    ] {
        for words in refusal(set) {
            assert!(words.contains(name), "{set}: {words}");
        }
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for words in refusal("metrics.podMonitor.enabled=true,metrics.serviceMonitor.enabled=true") {
        assert!(words.contains("every sample would be there twice"), "{words}");
    }
}

/// An umbrella chart shares `global` with charts that have members of their own there.
#[test]
fn members_of_other_charts_in_global_are_taken() {
    for helm in helms() {
        helm.try_render(&["global.storageClass=fast"]).unwrap();
    }
}

/// The members of an object, down to what the schema leaves open.
fn paths(schema: &Value, definitions: &Value, path: &str, found: &mut BTreeSet<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => &definitions[reference.trim_start_matches("#/definitions/")],
        None => schema,
    };
    match schema["properties"].as_object().filter(|_| !path.ends_with("resources") && !path.ends_with("affinity")) {
        Some(members) => {
            for (name, member) in members {
                paths(member, definitions, &format!("{path}.{name}"), found);
            }
        }
        None => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn every_value_of_the_schema_has_a_default_and_a_description() {
    let (schema, values) = (schema(), values());
    let mut declared = BTreeSet::new();
    paths(&schema, &schema["definitions"], "", &mut declared);
    let documented = fs::read_to_string(vouch_chart::chart().join("README.md")).unwrap();
    for path in declared {
        assert!(values.pointer(&path.replace('.', "/")).is_some(), "values.yaml lacks {path}");
        assert!(documented.contains(&format!("\n| {} | ", path.trim_start_matches('.'))), "the README lacks {path}");
    }
}
