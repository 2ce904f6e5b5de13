//! What is generated is current.

use std::{collections::BTreeSet, fs, process::Command};

use crate::support::{render, the, tool};

#[test]
fn the_definitions_in_the_chart_are_those_of_the_types() {
    let folder = vouch_chart::definitions();
    let present: BTreeSet<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut wanted = BTreeSet::new();
    for definition in vouch_crds::definitions() {
        let text = fs::read_to_string(folder.join(definition.file_name())).unwrap_or_default();
        let current = vouch_chart::template(&definition).unwrap();
        assert!(text == current, "{} differs from the types; run: make generate", definition.file_name());
        wanted.insert(definition.file_name());
    }
    assert_eq!(present, wanted, "templates/crds holds a file that belongs to no definition, or lacks one");
}

#[test]
fn a_rendered_definition_is_the_definition_with_the_labels_of_the_release() {
    let objects = render(&[]);
    for definition in vouch_crds::definitions() {
        let rendered = objects.iter().find(|object| object["metadata"]["name"] == definition.name.as_str());
        let mut rendered = rendered.unwrap_or_else(|| panic!("{} is not installed", definition.name)).clone();
        let metadata = rendered["metadata"].as_object_mut().unwrap();
        assert!(metadata.remove("labels").is_some());
        assert_eq!(metadata.remove("annotations").unwrap()["helm.sh/resource-policy"], "keep");
        assert_eq!(rendered, definition.manifest);
    }
}

#[test]
fn the_readme_is_that_of_the_values() {
    let chart = vouch_chart::chart();
    let arguments = ["--dry-run", "--log-level=warning", "--chart-search-root"];
    let output = Command::new(tool("VOUCH_HELM_DOCS")).args(arguments).arg(&chart).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let current = String::from_utf8(output.stdout).unwrap();
    let written = fs::read_to_string(chart.join("README.md")).unwrap_or_default();
    assert!(written.trim() == current.trim(), "charts/vouch/README.md differs; run: make generate");
}

#[test]
fn the_version_of_the_chart_is_that_of_the_programs() {
    let objects = render(&[]);
    let labels = &the(&objects, "Deployment")["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/version"], env!("CARGO_PKG_VERSION"));
}
