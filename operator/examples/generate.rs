//! Writes the page that explains conditions and events. A test compares it with the table in the source.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/conditions.md");
    fs::write(page, vouch_operator::reference::page())
}
