//! The files every command works on.

use std::path::{Path, PathBuf};

use super::{CONFIG, DATA_DIR, Failure, Files, env};
use crate::{
    admin::FrontEnd,
    config::{self, Config},
    database::{Database, DatabaseError},
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
    let database = own(Database::open(&database_path(&files.data_dir)), files)?;
    Ok((config, database))
}

/// As [`open()`], when the database is this issuer's.
pub(super) async fn open_own(files: &Files) -> Result<(Config, Database), Failure> {
    let (config, database) = open(files)?;
    own(database.check_owner(config.url.as_str()).await, files)?;
    Ok((config, database))
}

/// What a command does about a manifest that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It fails, because what it does must be in line with the manifest.
    Refuse,
    /// It goes on: what takes a right away, and whoever must look before, is stopped by nothing but the database.
    GoOn,
}

/// As [`open_own()`], but what cannot be read may be left out.
pub(super) async fn open_with(unread: Unread, files: &Files) -> Result<(Option<Config>, Database), Failure> {
    let config = match (config::load(&files.manifest.config), unread) {
        (Err(problems), Unread::Refuse) => return Err(problems.into()),
        (read, _) => read,
    };
    let database = own(Database::open(&database_path(&files.data_dir)), files)?;
    match config {
        Ok(config) => {
            match (database.check_owner(config.url.as_str()).await, unread) {
                (Err(fault @ DatabaseError::OtherIssuer { .. }), Unread::GoOn) => {
                    let advice = format!("this goes on without the manifest, too: -f /dev/null; {}", new_url(files));
                    return Err(NoDatabase { fault, advice }.into());
                }
                (owner, _) => own(owner, files)?,
            }
            Ok((Some(config), database))
        }
        Err(problems) => {
            problems.as_slice().iter().for_each(|problem| tracing::warn!("{problem}"));
            tracing::warn!("going on without the manifest; what it declares takes effect again once it can be read");
            Ok((None, database))
        }
    }
}

/// Why there is no database to work on, with the command that helps.
#[derive(Debug, thiserror::Error)]
#[error("{fault}; {advice}")]
struct NoDatabase {
    fault: DatabaseError,
    advice: String,
}

/// What a database said, with the next step where that is a command on the same files.
pub(super) fn own<T>(said: Result<T, DatabaseError>, files: &Files) -> Result<T, Failure> {
    said.map_err(|fault| {
        let front_end = files.front_end();
        let advice = match &fault {
            DatabaseError::Missing(_) => {
                format!("create one with `{}`, or restore it from a backup", front_end.command("init"))
            }
            DatabaseError::OtherIssuer { .. } => new_url(files),
            _ => return fault.into(),
        };
        NoDatabase { fault, advice }.into()
    })
}

fn new_url(files: &Files) -> String {
    format!(
        "if the issuer is really to have another URL from now on, stop it and run `{}`",
        files.front_end().command("accept-url")
    )
}

impl Files {
    /// How a further command on these files is written: with what it would not find without being told.
    pub(super) fn front_end(&self) -> FrontEnd {
        let given = [
            ("-f", &self.manifest.config, env::CONFIG, CONFIG),
            ("--data-dir", &self.data_dir, env::DATA_DIR, DATA_DIR),
        ];
        given.into_iter().fold(FrontEnd::vouch_issuer(), |front_end, (option, path, variable, default)| {
            let found = std::env::var_os(variable).unwrap_or_else(|| default.into());
            if *path == *found { front_end } else { front_end.with(option, &path.to_string_lossy()) }
        })
    }
}
