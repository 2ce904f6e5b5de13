//! Taking a changed configuration while running.
//!
//! A configuration with a mistake changes nothing: every mistake is reported, and the one in force stays. An audit trail
//! that takes no lines keeps people from being enabled, and nothing else from coming into force.

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

/// Reads the manifest again and puts it in force, wholly or not at all; only people who cannot be enabled now stay disabled.
/// What is left to an administrator is done through `front_end`.
pub async fn reload(issuer: &SharedIssuer, manifest: &Path, front_end: &FrontEnd) {
    match take(issuer, manifest.to_owned(), front_end).await {
        Ok(still_disabled) => {
            issuer.lifecycle.set_reload_refused(false);
            tracing::info!(manifest = %manifest.display(), "configuration reloaded");
            if let Some(fault) = still_disabled {
                let error = &fault as &dyn std::error::Error;
                tracing::error!(error, "reload the manifest again (SIGHUP) when the audit trail takes lines");
            }
        }
        Err(error) => {
            issuer.lifecycle.set_reload_refused(true);
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "the changed manifest is refused; the previous configuration stays in force");
        }
    }
}

/// Why people whom the manifest enables are still disabled, if they are; everything else is in force.
async fn take(
    issuer: &SharedIssuer,
    manifest: PathBuf,
    front_end: &FrontEnd,
) -> Result<Option<DeclaredFault>, Refused> {
    let config = tokio::task::spawn_blocking(move || config::load(&manifest)).await??;
    let before = issuer.config.load_full();
    same_url(&before, &config)?;
    let still_disabled = match apply_declared(&*issuer.store, &issuer.audit, &config.users, issuer.clock.now()).await {
        Ok(()) => None,
        Err(fault @ DeclaredFault::Trail { .. }) => Some(fault),
        Err(fault @ DeclaredFault::Store(_)) => return Err(fault.into()),
    };
    for email in no_longer_declared(&before.users, &config.users) {
        tracing::warn!(
            "{email} is not declared any more, which takes nothing away: end the access with `{}`",
            front_end.command(format_args!("disable {email}"))
        );
    }
    let Taken(()) = put_in_force(issuer, config)?;
    Ok(still_disabled)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        audit::{Action, Event},
        store::{conformance::person, record::UserRecord},
        testing::issuer::TestIssuer,
    };

    const MANIFEST: &str = "\
apiVersion: vouch.sh/v1alpha1
kind: VouchIssuer
metadata: {name: vouch}
spec:
  url: https://vouch.example.com
  organization: {name: Renamed, emailDomains: [example.com]}
---
apiVersion: vouch.sh/v1alpha1
kind: VouchUser
metadata: {name: bob}
spec: {email: bob@example.com}
---
apiVersion: vouch.sh/v1alpha1
kind: VouchUser
metadata: {name: mallory}
spec: {email: mallory@example.com, disabled: true}
";

    #[tokio::test]
    async fn a_stopped_trail_keeps_a_reload_from_nothing_but_enabling_people() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let issuer = TestIssuer::with_trail(Box::new(writer)).await;
        let bob = UserRecord { disabled: true, ..person("bob") };
        for user in [bob, person("mallory")] {
            issuer.issuer.store.create(&user).await.unwrap();
        }
        while let Ok(room) = issuer.issuer.audit.room_for(Action::Minted).await {
            issuer.issuer.audit.record_in(room, issuer.issuer.clock.now(), &Event::new(Action::Minted));
        }
        let manifest = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&manifest, MANIFEST).unwrap();
        reload(&issuer.issuer, manifest.path(), &FrontEnd::vouch_issuer()).await;
        assert!(issuer.user("bob").await.disabled, "enabled off the record");
        assert!(issuer.user("mallory").await.disabled);
        assert_eq!(issuer.issuer.config.load().organization.name, "Renamed");
        assert!(!issuer.issuer.lifecycle.reload_refused());
    }
}
