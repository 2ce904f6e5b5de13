//! What the cluster has of an issuer's Secrets, read once at the beginning of a pass.
//!
//! Key material is taken out of the Secret as soon as it arrives, into memory that is wiped; what remains is kept to be
//! written back.

use std::fmt;

use futures::future::try_join;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client};
use vouch_crds::names::{self, annotation, label, root_secret, signing_keys};
use vouch_issuer::identity::secrets::ROOT_LENGTH;
use vouch_keyring::KeySet;
use zeroize::{Zeroize as _, Zeroizing};

use super::{KeysError, fault::Damage, orders::Handled};
use crate::apply::Owner;

/// The Secrets of an issuer.
#[derive(Debug)]
pub struct Observed {
    /// Its signing keys.
    pub keys: Option<KeySecret>,
    /// What all else is derived from.
    pub root: Root,
}

/// A Secret with signing keys.
pub struct KeySecret {
    /// Everything but the keys.
    pub(super) rest: Secret,
    /// The issuer whose it says that it is.
    pub url: Option<String>,
    /// Whether it is found by its labels.
    pub labelled: bool,
    /// The orders that made it what it is.
    pub handled: Handled,
    /// The keys.
    pub set: Result<KeySet, Damage>,
}

/// The Secret with the root secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// There is none.
    Absent,
    /// It is there.
    Sound,
    /// It has another length.
    Damaged(usize),
    /// It belongs to the issuer of another URL.
    Foreign(String),
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySecret")
            .field("url", &self.url)
            .field("labelled", &self.labelled)
            .field("handled", &self.handled)
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}

impl KeySecret {
    /// Reads a Secret of the issuer `issuer`.
    #[must_use]
    pub fn of(mut secret: Secret, issuer: &str) -> Self {
        let document = take(&mut secret, signing_keys::DATA_KEY);
        let set = match document.as_deref().map(Vec::as_slice) {
            None | Some([]) => Err(Damage::Empty(signing_keys::DATA_KEY)),
            Some(document) => KeySet::from_json(document).map_err(Damage::from),
        };
        let url = annotation_of(&secret, annotation::ISSUER_URL).map(str::to_owned);
        let handled = Handled::parse(annotation_of(&secret, annotation::HANDLED_ORDER));
        Self { labelled: is_labelled(&secret, issuer), rest: secret, url, handled, set }
    }
}

impl Root {
    /// Reads the Secret of the issuer at `url`.
    #[must_use]
    pub fn of(secret: Option<Secret>, url: &str) -> Self {
        let Some(mut secret) = secret else { return Self::Absent };
        let length = take(&mut secret, root_secret::DATA_KEY).map_or(0, |root| root.len());
        match annotation_of(&secret, annotation::ISSUER_URL) {
            Some(found) if found != url => Self::Foreign(found.to_owned()),
            _ if length == ROOT_LENGTH => Self::Sound,
            _ => Self::Damaged(length),
        }
    }
}

/// Reads the Secrets of an issuer.
///
/// # Errors
/// When one cannot be read: what is unknown must not look like what is missing.
pub async fn gather(reader: &Client, owner: &Owner, url: &str) -> Result<Observed, KeysError> {
    let keys = get(reader, owner, signing_keys::name(&owner.name));
    let (keys, root) = try_join(keys, get(reader, owner, root_secret::name(&owner.name))).await?;
    Ok(Observed { keys: keys.map(|secret| KeySecret::of(secret, &owner.name)), root: Root::of(root, url) })
}

async fn get(reader: &Client, owner: &Owner, name: String) -> Result<Option<Secret>, KeysError> {
    let api: Api<Secret> = Api::namespaced(reader.clone(), &owner.namespace);
    api.get_opt(&name).await.map_err(|source| KeysError::Hidden { secret: name, source })
}

/// Takes a member out of the data.
fn take(secret: &mut Secret, key: &str) -> Option<Zeroizing<Vec<u8>>> {
    let ByteString(bytes) = secret.data.as_mut()?.remove(key)?;
    Some(Zeroizing::new(bytes))
}

/// Wipes what a Secret holds.
pub(super) fn wipe(secret: &mut Secret) {
    secret.data.iter_mut().flatten().for_each(|(_, ByteString(bytes))| bytes.zeroize());
}

fn annotation_of<'a>(secret: &'a Secret, name: &str) -> Option<&'a str> {
    secret.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

fn is_labelled(secret: &Secret, issuer: &str) -> bool {
    let wanted = [(label::MANAGED_BY, names::OPERATOR), (label::NAME, label::APPLICATION), (label::INSTANCE, issuer)];
    let labels = secret.metadata.labels.as_ref();
    wanted.iter().all(|(name, value)| labels.and_then(|labels| labels.get(*name)).is_some_and(|found| found == value))
}
