//! The checked-in page is that of the table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::Path};

#[test]
fn the_page_about_conditions_is_that_of_the_reasons() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/conditions.md");
    assert!(
        fs::read_to_string(page).unwrap_or_default() == vouch_operator::reference::page(),
        "docs/reference/conditions.md differs from the reasons; run: cargo run -p vouch-operator --example generate"
    );
}
