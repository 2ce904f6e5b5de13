//! Writes `crds/yaml`: one file for each definition. A test compares them with the types.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    fs::create_dir_all(&directory)?;
    for definition in vouch_crds::definitions() {
        fs::write(directory.join(definition.file_name()), definition.to_yaml()?)?;
    }
    Ok(())
}
