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

/// Leaves the file complete by itself, for whoever copies it. What was done stays done when that fails.
pub(super) async fn settle(database: &Database) {
    let path = database.path().display();
    match database.checkpoint().await {
        Ok(true) => {}
        Ok(false) => tracing::warn!("{path} is in use: a copy of it needs the file {path}-wal, too"),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "{path} cannot be settled: a copy of it needs the file {path}-wal, too");
        }
    }
}

/// Reads the manifest and opens the database.
pub(super) fn open(files: &Files) -> Result<(Config, Database), Failure> {
    let config = config::load(&files.manifest.config)?;
    let database = Database::open(&database_path(&files.data_dir))?;
    Ok((config, database))
}
