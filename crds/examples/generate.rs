//! Writes `crds/yaml`, one file for each definition, and the page that documents them. Tests compare both with the types.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = here.join("yaml");
    fs::create_dir_all(&directory)?;
    for definition in vouch_crds::definitions() {
        fs::write(directory.join(definition.file_name()), definition.to_yaml()?)?;
    }
    fs::write(here.join("../docs/reference/resources.md"), vouch_crds::reference::page())?;
    Ok(())
}
