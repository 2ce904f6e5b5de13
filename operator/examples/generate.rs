//! Writes the reference pages. A test compares them with the table of reasons and with the command line.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
    fs::write(pages.join("conditions.md"), vouch_operator::reference::page())?;
    fs::write(pages.join("kubectl-vouch.md"), vouch_operator::plugin::reference::page())
}
