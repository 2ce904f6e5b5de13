//! `check`: is the manifest right?

use std::{fmt, path::PathBuf};

use serde::Serialize;

use super::{Failure, Manifest};
use crate::config;

/// What a right manifest declares.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    file: PathBuf,
    issuer: String,
    federations: usize,
    users: usize,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, issuer, federations, users } = self;
        writeln!(f, "{} is right: issuer {issuer}, {federations} federations, {users} declared users", file.display())
    }
}

/// Reads the manifest; every mistake in it is in the failure.
pub(super) fn check(manifest: &Manifest) -> Result<Checked, Failure> {
    let config = config::load(&manifest.config)?;
    Ok(Checked {
        file: manifest.config.clone(),
        issuer: config.url.to_string(),
        federations: config.federations.len(),
        users: config.users.len(),
    })
}
