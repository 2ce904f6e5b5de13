//! What is no value of the chart is refused, in words.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::support::{helms, render, the};

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

/// What a reference in the schema leads to.
fn resolved<'a>(schema: &'a Value, definitions: &'a Value) -> &'a Value {
    schema["$ref"].as_str().map_or(schema, |name| &definitions[name.trim_start_matches("#/definitions/")])
}

/// Every object with named members, but the one that is shared with other charts.
fn objects(schema: &Value, definitions: &Value, path: &str, found: &mut Vec<String>) {
    let Some(members) = resolved(schema, definitions)["properties"].as_object().filter(|_| path != "global.") else {
        return;
    };
    found.push(path.to_owned());
    for (name, member) in members {
        objects(member, definitions, &format!("{path}{name}."), found);
    }
}

#[test]
fn a_value_that_does_not_exist_is_refused_wherever_it_stands() {
    let (schema, mut places) = (schema(), Vec::new());
    objects(&schema, &schema["definitions"], "", &mut places);
    assert!(places.len() > 15, "{places:?}");
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
        ("image.digest=vouch@sha256:12", "digest"),
        ("image.repository=Vouch", "repository"),
        ("image.repository=vouch-operator:0.1.0", "repository"),
        ("image.repository=vouch//operator", "repository"),
        ("issuerImage.tag=-x", "tag"),
        ("issuerImage.tag=0.1.0@sha256:12", "tag"),
        ("operator.concurrency=0", "concurrency"),
        ("operator.qps=0", "qps"),
        ("operator.log=", "log"),
        ("operator.logFormat=xml", "logFormat"),
        ("operator.lease.duration=15", "duration"),
        ("crds.install=perhaps", "install"),
        ("rbac.userRoles.create=perhaps", "create"),
        ("rbac.userRoles.issuers={*}", "issuers"),
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

/// References with anything else could never be pulled, and only the nodes would say so.
#[test]
fn a_registry_is_a_host_with_or_without_port_and_path() {
    let places = ["global.imageRegistry", "image.registry", "issuerImage.registry"];
    let wrong = [
        "https://registry.example.com",
        "http://localhost:5000",
        "docker://registry.example.com/vouch",
        "registry.example.com//",
        "/",
        "/vouch",
        "registry.example.com//vouch",
        "registry.example.com/Vouch",
        "registry.example.com:port",
        "registry.example.com:/vouch",
        "alice@registry.example.com",
        "registry example com",
    ];
    for (place, registry) in places.iter().flat_map(|place| wrong.map(|registry| (place, registry))) {
        for words in refusal(&format!("{place}={registry}")) {
            assert!(words.contains(&place.replace('.', "/")), "{place}={registry}: {words}");
        }
    }
    for registry in
        ["registry.example.com", "localhost:5000", "mirror", "192.0.2.1:5000/a_b/c--d.e", "[2001:db8::1]:5000/vouch"]
    {
        for end in ["", "/"] {
            let objects = render(&[&format!("global.imageRegistry={registry}{end}")]);
            let image = &the(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"];
            assert_eq!(*image, format!("{registry}/vouch-operator:{}", env!("CARGO_PKG_VERSION")));
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
        helm.try_render(&["global.storageClass=fast,global.imagePullPolicy=Always,global.image.registry=a"]).unwrap();
        // However much they look like ours.
        helm.try_render(&["global.imageregistry=a,global.imagePullsecrets={b}"]).unwrap();
    }
}

/// The values that have a default each: members of objects, down to what Kubernetes has the names for.
fn values_of(schema: &Value, definitions: &Value, path: &str, found: &mut BTreeSet<String>) {
    let open = ["resources", "affinity"].contains(&path);
    match resolved(schema, definitions)["properties"].as_object().filter(|_| !open) {
        Some(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                values_of(member, definitions, &path, found);
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
    values_of(&schema, &schema["definitions"], "", &mut declared);
    let documented = fs::read_to_string(vouch_chart::chart().join("README.md")).unwrap();
    for path in declared {
        let pointer = format!("/{}", path.replace('.', "/"));
        assert!(values.pointer(&pointer).is_some(), "values.yaml lacks {path}");
        assert!(documented.contains(&format!("\n| {path} | ")), "the README lacks {path}");
    }
}
