//! What an issuer is told to do, read from the same manifests that a cluster takes.
//!
//! A file is a YAML stream with one `VouchIssuer` and any number of `AwsFederation`, `VouchUser`, `OidcClient` and
//! `ConfigMap` objects; in a cluster they are the objects themselves. Every mistake is reported at once, each with its
//! place and with what would be right.
//! Nothing in here knows of HTTP or of stores, and nothing is taken from the environment.

mod build;
mod document;
pub mod federation;
mod manifest;
mod model;
pub mod objects;
mod problem;
mod schema;
#[cfg(test)]
mod tests;
pub mod url;

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use serde_json::Value;

use self::document::{Document, Node};
pub use self::{
    build::key_policy,
    model::*,
    problem::{Place, Problem, Problems},
};

/// The longest manifest, in bytes: a hundred thousand people need about 10 MiB.
const MAX_LENGTH: u64 = 16 << 20;

/// Reads a file.
///
/// # Errors
/// Every mistake in it, in the order of its lines.
pub fn load(path: &Path) -> Result<Config, Problems> {
    let result = read(path).map_err(Problems::one).and_then(|text| load_str(&text));
    result.map_err(|problems| problems.in_file(path))
}

/// The text of a file; never more of it than a manifest can have.
fn read(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "is not there; name the manifest with --config".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory; name the file with the manifest with --config".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_LENGTH + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_LENGTH {
        return Err(format!("is longer than {} MiB, which no manifest is", MAX_LENGTH >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())
}

/// Reads a text. It never panics, whatever the text.
///
/// # Errors
/// Every mistake in it, in the order of its lines.
pub fn load_str(text: &str) -> Result<Config, Problems> {
    let (documents, syntax_errors) = document::read(text);
    read_documents(documents, syntax_errors.into_iter().map(Problem::from).collect(), Setting::Alone)
}

/// Reads the objects of a cluster, as its API server has them.
///
/// Members that only a newer definition knows are left out of account, so that an upgrade does not stop older pods. An
/// `allow` with such a member allows nobody: the member may take back what the others give.
///
/// # Errors
/// Every mistake in them.
pub fn load_objects(objects: &[Value]) -> Result<Config, Problems> {
    let documents = objects.iter().enumerate();
    let documents = documents.map(|(index, object)| Document { number: index + 1, root: Node::from(object) });
    read_documents(documents.collect(), Vec::new(), Setting::Cluster)
}

/// Where an issuer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    /// By itself, with a file and a database.
    Alone,
    /// In pods, which keep people in the cluster.
    Cluster,
}

fn read_documents(documents: Vec<Document>, mut problems: Vec<Problem>, setting: Setting) -> Result<Config, Problems> {
    let complete = problems.is_empty();
    let checked = documents.into_iter().map(|document| manifest::check(document, setting, &mut problems));
    let manifests: Vec<_> = checked.collect();
    let complete = complete && manifests.iter().all(Option::is_some);
    let manifests: Vec<_> = manifests.into_iter().flatten().collect();
    let by_schemas = problems.len();
    let config = build::build(&manifests, complete, setting, &mut problems);
    problem::drop_echoes(&mut problems, by_schemas);
    match (config, Problems::new(problems)) {
        (Some(config), None) => Ok(config),
        (_, Some(problems)) => Err(problems),
        (None, None) => Err(Problems::one("declares no issuer that could run".to_owned())),
    }
}
