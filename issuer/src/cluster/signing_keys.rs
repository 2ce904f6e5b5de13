//! The two Secrets of an issuer, as its pods read them: signing keys and root secret. The operator alone writes them.

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _};
use tokio::sync::watch;
use vouch_crds::names::{annotation, root_secret, signing_keys};
use zeroize::Zeroizing;

use super::{Cluster, Collection};
use crate::{
    identity::secrets::{ROOT_LENGTH, Secrets, SecretsError},
    keys::store::{KeySource, KeyStoreError, Revision, StoredKeys},
    state::SharedIssuer,
};

/// What is wrong with a Secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretFault {
    /// Nothing has been read yet.
    #[error("the Secret {name} is not known yet{}", fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default())]
    NotSynced {
        /// Which.
        name: String,
        /// Why not.
        fault: Option<String>,
    },
    /// There is none.
    #[error(
        "there is no Secret {0}; the operator makes it once (see `kubectl describe vouchissuer`), and a lost one is restored from a backup"
    )]
    Absent(String),
    /// It has no such member.
    #[error("the Secret {name} has no {member} in its data; restore it from a backup")]
    Empty {
        /// Which.
        name: String,
        /// What it lacks.
        member: &'static str,
    },
    /// It belongs to another issuer.
    #[error(
        "the Secret {name} holds the keys of {found}, and this issuer is {wanted} (annotation vouch.sh/issuer-url); restore the right one from a backup"
    )]
    Foreign {
        /// Which.
        name: String,
        /// Whose keys it says it has.
        found: String,
        /// Whose keys they should be.
        wanted: String,
    },
}

/// The Secret with the signing keys.
#[derive(Debug)]
pub struct SigningKeys {
    secret: Collection<Secret>,
    name: String,
    url: String,
}

impl SigningKeys {
    /// Follows the Secret of an issuer whose `iss` is `url`.
    #[must_use]
    pub fn follow(cluster: &Cluster, issuer: &str, url: &str) -> Self {
        let name = signing_keys::name(issuer);
        Self { secret: secret(cluster, &name), name, url: url.to_owned() }
    }

    fn read(&self) -> Result<StoredKeys, KeyStoreError> {
        let secret = find(&self.secret, &self.name)?;
        let found = secret.annotations().get(annotation::ISSUER_URL);
        if found != Some(&self.url) {
            let found = found.map_or_else(|| "nobody it names".to_owned(), Clone::clone);
            return Err(SecretFault::Foreign { name: self.name.clone(), found, wanted: self.url.clone() }.into());
        }
        let bytes = member(&secret, &self.name, signing_keys::DATA_KEY)?;
        let document = std::str::from_utf8(bytes).map_err(|_| KeyStoreError::NotText)?;
        let version = secret.metadata.resource_version.as_deref().and_then(|version| version.parse().ok());
        Ok(StoredKeys {
            document: Zeroizing::new(document.to_owned()),
            revision: Revision(version.unwrap_or_default()),
        })
    }
}

#[async_trait]
impl KeySource for SigningKeys {
    async fn load(&self) -> Result<StoredKeys, KeyStoreError> {
        self.read()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.secret.changes()
    }

    fn stale(&self) -> Option<String> {
        self.secret.fault()
    }
}

/// The Secret with the root secret.
#[derive(Debug)]
pub struct RootSecret {
    secret: Collection<Secret>,
    name: String,
}

impl RootSecret {
    /// Follows the Secret of an issuer.
    #[must_use]
    pub fn follow(cluster: &Cluster, issuer: &str) -> Self {
        let name = root_secret::name(issuer);
        Self { secret: secret(cluster, &name), name }
    }

    /// What is derived from it.
    ///
    /// # Errors
    /// When it is missing or damaged; nothing is made up for it.
    pub fn read(&self) -> Result<Secrets, SecretsError> {
        let secret = find(&self.secret, &self.name)?;
        secrets_of(&secret)
    }

    /// Rises with every change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.secret.changes()
    }

    /// Takes every change into use, until the process ends: pods that derive from different root secrets refuse each
    /// other's challenges, and every invite. A fault changes nothing.
    pub async fn maintain(self: Arc<Self>, issuer: SharedIssuer) {
        let mut changes = self.changes();
        let mut in_use = None;
        // What changed while the issuer was put together is not missed.
        changes.mark_changed();
        while changes.changed().await.is_ok() {
            changes.mark_unchanged();
            let found = find(&self.secret, &self.name).map_err(SecretsError::from);
            match found.and_then(|secret| Ok((secrets_of(&secret)?, secret.metadata.resource_version.clone()))) {
                Ok((_, version)) if version == in_use => {}
                Ok((secrets, version)) => {
                    issuer.secrets.store(Arc::new(secrets));
                    tracing::info!(secret = self.name, "the root secret is in use");
                    in_use = version;
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "the root secret cannot be read; the previous one stays in use");
                }
            }
        }
    }
}

/// What is derived from the root secret in a Secret.
///
/// # Errors
/// When the Secret holds none, or one that is damaged; nothing is made up for it.
pub fn secrets_of(secret: &Secret) -> Result<Secrets, SecretsError> {
    let name = secret.name_any();
    let bytes = member(secret, &name, root_secret::DATA_KEY)?;
    let root = <[u8; ROOT_LENGTH]>::try_from(bytes).map(Zeroizing::new);
    let root = root.map_err(|_| SecretsError::DamagedSecret(name, bytes.len()))?;
    Secrets::derive(&root)
}

fn secret(cluster: &Cluster, name: &str) -> Collection<Secret> {
    Collection::one(&cluster.client, |client| Api::namespaced(client, &cluster.namespace), name)
}

fn find(secrets: &Collection<Secret>, name: &str) -> Result<Arc<Secret>, SecretFault> {
    let seen = secrets.seen();
    if !seen.synced {
        return Err(SecretFault::NotSynced { name: name.to_owned(), fault: secrets.fault() });
    }
    seen.objects.get(name).cloned().ok_or_else(|| SecretFault::Absent(name.to_owned()))
}

fn member<'a>(secret: &'a Secret, name: &str, member: &'static str) -> Result<&'a [u8], SecretFault> {
    let bytes = secret.data.as_ref().and_then(|data| data.get(member)).map(|bytes| bytes.0.as_slice());
    bytes.filter(|bytes| !bytes.is_empty()).ok_or_else(|| SecretFault::Empty { name: name.to_owned(), member })
}
