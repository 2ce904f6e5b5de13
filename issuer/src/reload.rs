//! Taking a changed configuration while running.
//!
//! A configuration with a mistake changes nothing: every mistake is reported, and the one in force stays.

use std::path::{Path, PathBuf};

use crate::{
    admin::{
        FrontEnd,
        declared::{DeclaredFault, apply_declared, no_longer_declared},
    },
    cluster::configuration::ConfigurationFault,
    config::{self, Config},
    state::SharedIssuer,
};

/// Why a changed configuration was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is wrong.
    #[error(transparent)]
    Config(#[from] config::Problems),
    /// It is another issuer's.
    #[error(
        "spec.url is {new} now and was {old} when the issuer started; it is the iss of every token and never changes: put it back, or declare a second issuer"
    )]
    Url {
        /// The issuer that runs.
        old: String,
        /// What is declared.
        new: String,
    },
    /// People could not be written.
    #[error(transparent)]
    People(#[from] DeclaredFault),
    /// The process is ending.
    #[error("the manifest could not be read")]
    Abandoned(#[from] tokio::task::JoinError),
    /// The objects do not make a configuration.
    #[error(transparent)]
    Cluster(ConfigurationFault),
}

/// A configuration is in force.
#[derive(Debug)]
pub struct Taken(());

/// Reads the manifest again and puts it in force, wholly or not at all. What is left to an administrator is done through
/// `front_end`.
pub async fn reload(issuer: &SharedIssuer, manifest: &Path, front_end: &FrontEnd) {
    match take(issuer, manifest.to_owned(), front_end).await {
        Ok(_) => {
            issuer.lifecycle.set_reload_refused(false);
            tracing::info!(manifest = %manifest.display(), "configuration reloaded");
        }
        Err(error) => {
            issuer.lifecycle.set_reload_refused(true);
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the changed manifest is refused; the previous configuration stays in force");
        }
    }
}

async fn take(issuer: &SharedIssuer, manifest: PathBuf, front_end: &FrontEnd) -> Result<Taken, Refused> {
    let config = tokio::task::spawn_blocking(move || config::load(&manifest)).await??;
    let before = issuer.config.load_full();
    same_url(&before, &config)?;
    apply_declared(&*issuer.store, &issuer.audit, &config.users, issuer.clock.now()).await?;
    for email in no_longer_declared(&before.users, &config.users) {
        tracing::warn!(
            "{email} is not declared any more, which takes nothing away: end the access with `{}`",
            front_end.command(format_args!("disable {email}"))
        );
    }
    put_in_force(issuer, config)
}

/// Puts a configuration in force, if it is the same issuer's.
///
/// # Errors
/// [`Refused::Url`].
pub fn put_in_force(issuer: &SharedIssuer, config: Config) -> Result<Taken, Refused> {
    same_url(&issuer.config.load(), &config)?;
    issuer.configure(config);
    Ok(Taken(()))
}

fn same_url(before: &Config, config: &Config) -> Result<(), Refused> {
    if config.url == before.url {
        return Ok(());
    }
    Err(Refused::Url { old: before.url.to_string(), new: config.url.to_string() })
}
