//! What an issuer is told to do, read from the same manifests that a cluster takes.
//!
//! A file is a YAML stream with one `VouchIssuer` and any number of `AwsFederation`, `VouchUser`, `OidcClient` and
//! `ConfigMap` objects. Every mistake in it is reported at once, each with its place and with what would be right.
//! Nothing in here knows of HTTP or of stores, and nothing is taken from the environment.

mod build;
mod document;
pub mod federation;
mod manifest;
mod model;
mod problem;
mod schema;
#[cfg(test)]
mod tests;
pub mod url;

use std::{fs, path::Path};

pub use self::{
    model::*,
    problem::{Place, Problem, Problems},
};

/// Reads a file.
///
/// # Errors
/// Every mistake in it, in the order of its lines.
pub fn load(path: &Path) -> Result<Config, Problems> {
    let result = match fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => load_str(&text),
        Ok(Err(_)) => Err(Problems::one("is not text in UTF-8".to_owned())),
        Err(error) => Err(Problems::one(format!("cannot be read: {error}"))),
    };
    result.map_err(|problems| problems.in_file(path))
}

/// Reads a text. It never panics, whatever the text.
///
/// # Errors
/// Every mistake in it, in the order of its lines.
pub fn load_str(text: &str) -> Result<Config, Problems> {
    let (documents, syntax_errors) = document::read(text);
    let complete = syntax_errors.is_empty();
    let mut problems: Vec<Problem> = syntax_errors.into_iter().map(Problem::from).collect();
    let schemas = manifest::Schemas::new();
    let checked = documents.into_iter().map(|document| schemas.check(document, &mut problems));
    let manifests: Vec<_> = checked.collect();
    let complete = complete && manifests.iter().all(Option::is_some);
    let manifests: Vec<_> = manifests.into_iter().flatten().collect();
    let config = build::build(&manifests, complete, &mut problems);
    match (config, Problems::new(problems)) {
        (Some(config), None) => Ok(config),
        (_, Some(problems)) => Err(problems),
        (None, None) => Err(Problems::one("declares no issuer that could run".to_owned())),
    }
}
