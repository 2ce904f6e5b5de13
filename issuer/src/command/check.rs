//! `check`: is the manifest right?

use std::{fmt, path::PathBuf};

use serde::Serialize;

use super::{Failure, Manifest, counted};
use crate::config;

/// What a right manifest declares.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    file: PathBuf,
    issuer: String,
    federations: usize,
    users: usize,
    /// What is right, and has no effect in this release.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<String>,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, issuer, notices, .. } = self;
        let (federations, users) = (counted(self.federations, "federation"), counted(self.users, "declared user"));
        writeln!(f, "{} is right: issuer {issuer}, {federations}, {users}", file.display())?;
        notices.iter().try_for_each(|notice| writeln!(f, "Note: {notice}."))
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
        notices: config.notices(),
    })
}
