//! The files every command works on.

use std::path::{Path, PathBuf};

use super::{Failure, Files};
use crate::{
    config::{self, Config},
    database::Database,
};

/// The database in a data directory.
pub(super) fn database_path(data_dir: &Path) -> PathBuf {
    data_dir.join("issuer.db")
}

/// Reads the manifest and opens the database.
pub(super) fn open(files: &Files) -> Result<(Config, Database), Failure> {
    let config = config::load(&files.manifest.config)?;
    let database = Database::open(&database_path(&files.data_dir))?;
    Ok((config, database))
}
