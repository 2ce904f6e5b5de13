//! The checked-in definitions are those of the types.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

#[test]
fn the_checked_in_definitions_are_those_of_the_types() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    let present: BTreeSet<String> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut wanted = BTreeSet::new();
    for definition in vouch_crds::definitions() {
        let text = fs::read_to_string(directory.join(definition.file_name())).unwrap_or_default();
        assert!(
            text == definition.to_yaml().unwrap(),
            "{} differs from the types; run: cargo run -p vouch-crds --example generate",
            definition.file_name()
        );
        wanted.insert(definition.file_name());
    }
    assert_eq!(present, wanted, "crds/yaml holds a file that belongs to no definition, or lacks one");
}

#[test]
fn a_generated_file_reads_back_as_the_definition() {
    for definition in vouch_crds::definitions() {
        let read: Value = serde_saphyr::from_str(&definition.to_yaml().unwrap()).unwrap();
        assert_eq!(read, definition.manifest);
    }
}

#[test]
fn the_page_about_the_resources_is_that_of_the_types() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/resources.md");
    assert!(
        fs::read_to_string(page).unwrap_or_default() == vouch_crds::reference::page(),
        "docs/reference/resources.md differs from the types; run: cargo run -p vouch-crds --example generate"
    );
}
