//! The checked-in pages are those of the source.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::Path};

fn compare(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(name);
    assert!(
        fs::read_to_string(path).unwrap_or_default() == page,
        "docs/reference/{name} differs from the source; run: cargo run -p vouch-operator --example generate"
    );
}

#[test]
fn the_page_about_conditions_is_that_of_the_reasons() {
    compare("conditions.md", &vouch_operator::reference::page());
}

#[test]
fn the_page_about_kubectl_vouch_is_that_of_its_command_line() {
    compare("kubectl-vouch.md", &vouch_operator::plugin::reference::page());
}
