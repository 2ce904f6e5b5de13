//! Writes the chart's custom resource definitions. A test compares them with the types.

use std::{error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = vouch_chart::definitions();
    fs::create_dir_all(&folder)?;
    for definition in vouch_crds::definitions() {
        fs::write(folder.join(definition.file_name()), vouch_chart::template(&definition)?)?;
    }
    Ok(())
}
