//! Taking a changed manifest while running.
//!
//! A manifest with a mistake changes nothing: every mistake is reported, and the configuration in force stays.

use std::path::{Path, PathBuf};

use crate::{
    admin::declared::{apply_declared, no_longer_declared},
    config,
    state::SharedIssuer,
    store::StoreError,
};

/// Why a changed manifest was not taken.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Config(#[from] config::Problems),
    #[error(
        "spec.url is {new} now and was {old} when the issuer started; it is the iss of every token and never changes: put it back, or declare a second issuer"
    )]
    Url { old: String, new: String },
    #[error("the people whom the manifest declares could not be brought into line with it")]
    Store(#[from] StoreError),
    #[error("the manifest could not be read")]
    Abandoned(#[from] tokio::task::JoinError),
}

/// Reads the manifest again and puts it in force, wholly or not at all.
pub async fn reload(issuer: &SharedIssuer, manifest: &Path) {
    match take(issuer, manifest.to_owned()).await {
        Ok(()) => {
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

async fn take(issuer: &SharedIssuer, manifest: PathBuf) -> Result<(), ReloadError> {
    let config = tokio::task::spawn_blocking(move || config::load(&manifest)).await??;
    let before = issuer.config.load_full();
    if config.url != before.url {
        return Err(ReloadError::Url { old: before.url.to_string(), new: config.url.to_string() });
    }
    apply_declared(&*issuer.store, &issuer.audit, &config.users, issuer.clock.now()).await?;
    for email in no_longer_declared(&before.users, &config.users) {
        tracing::warn!(
            "{email} is not declared any more, which takes nothing away: end the access with `vouch-issuer disable {email}`"
        );
    }
    issuer.configure(config);
    Ok(())
}
