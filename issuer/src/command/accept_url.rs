//! `accept-url`: the one command that gives a database to an issuer with another URL.

use std::{fmt, path::PathBuf};

use serde::Serialize;

use super::{
    Failure, Files,
    open::{open, settle},
};

/// Whose the database was, and whose it is.
#[derive(Debug, Serialize)]
pub(super) struct Accepted {
    database: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    issuer: String,
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database, before, issuer } = self;
        match before {
            Some(before) if before == issuer => writeln!(f, "{} belongs to {issuer} already.", database.display()),
            Some(before) => writeln!(
                f,
                "{} belongs to {issuer} now, and to {before} no more. Every session has ended, AWS needs a provider for the \
                 new URL, and under another host every person needs a new invite: security keys know the old one.",
                database.display()
            ),
            None => writeln!(f, "{} belongs to {issuer} now.", database.display()),
        }
    }
}

/// Gives the database to the issuer that the manifest declares.
pub(super) async fn accept_url(files: &Files) -> Result<Accepted, Failure> {
    let (config, database) = open(files)?;
    let before = database.give_to(config.url.as_str()).await?;
    settle(&database).await;
    Ok(Accepted { database: database.path().to_owned(), before, issuer: config.url.to_string() })
}
