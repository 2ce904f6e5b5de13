//! Writing an issuer's Secrets. A Secret is made where there is none, or replaced exactly as it was read; when somebody
//! else was faster nothing is written, and that is no failure.

use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, api::PostParams};
use vouch_crds::names::{self, annotation, root_secret, signing_keys};
use vouch_issuer::identity::secrets::ROOT_LENGTH;
use zeroize::Zeroizing;

use super::{KeysError, observe::wipe, plan::InForce};
use crate::{apply::Owner, failure, lease::LeaseHeld};

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in force.
    Written,
    /// Somebody else has written meanwhile; nothing was changed.
    Raced,
}

/// Stores keys: over the Secret that they came from, or in a new one.
///
/// # Errors
/// When the API server refuses or does not answer. Whether the keys are in force is then unknown until they are read.
pub async fn store(
    held: &LeaseHeld,
    owner: &Owner,
    url: &str,
    before: Option<Secret>,
    keys: &InForce,
) -> Result<Outcome, KeysError> {
    let replaces = before.is_some();
    write(held, owner, filled(owner, url, before, keys)?, replaces).await
}

/// The Secret with these keys; whatever else `before` has stays in it.
pub(super) fn filled(owner: &Owner, url: &str, before: Option<Secret>, keys: &InForce) -> Result<Secret, KeysError> {
    let document = keys.set.to_json().map_err(KeysError::Form)?;
    let mut secret = before.unwrap_or_else(|| empty(owner, signing_keys::name(&owner.name), signing_keys::TYPE));
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.insert(annotation::ISSUER_URL.to_owned(), url.to_owned());
    annotations.insert(annotation::HANDLED_ORDER.to_owned(), keys.handled.to_json().map_err(KeysError::Form)?);
    let labels = owner.labels().into_iter().map(|(name, value)| (name.to_owned(), value));
    secret.metadata.labels.get_or_insert_default().extend(labels);
    let bytes = ByteString(document.as_bytes().to_vec());
    secret.data.get_or_insert_default().insert(signing_keys::DATA_KEY.to_owned(), bytes);
    Ok(secret)
}

/// Makes the root secret, once.
///
/// # Errors
/// When the API server refuses or does not answer.
pub async fn make_root(held: &LeaseHeld, owner: &Owner, url: &str) -> Result<Outcome, KeysError> {
    let mut root = Zeroizing::new(vec![0; ROOT_LENGTH]);
    aws_lc_rs::rand::fill(root.as_mut_slice()).map_err(|_| KeysError::Randomness)?;
    let mut secret = empty(owner, root_secret::name(&owner.name), root_secret::TYPE);
    secret.metadata.annotations.get_or_insert_default().insert(annotation::ISSUER_URL.to_owned(), url.to_owned());
    secret.data.get_or_insert_default().insert(root_secret::DATA_KEY.to_owned(), ByteString(std::mem::take(&mut root)));
    write(held, owner, secret, false).await
}

/// No owner reference: deleting a `VouchIssuer` must not destroy its keys.
fn empty(owner: &Owner, name: String, kind: &str) -> Secret {
    let labels = owner.labels().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Secret {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(owner.namespace.clone()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        type_: Some(kind.to_owned()),
        ..Secret::default()
    }
}

async fn write(held: &LeaseHeld, owner: &Owner, mut secret: Secret, replaces: bool) -> Result<Outcome, KeysError> {
    let api: Api<Secret> = Api::namespaced(held.client(), &owner.namespace);
    let parameters = PostParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let name = secret.metadata.name.clone().unwrap_or_default();
    let answer = match replaces {
        true => api.replace(&name, &parameters, &secret).await,
        false => api.create(&parameters, &secret).await,
    };
    wipe(&mut secret);
    match answer {
        Ok(mut written) => {
            wipe(&mut written);
            Ok(Outcome::Written)
        }
        // Changed or made by somebody else; or gone, and what that means is decided by whoever reads again.
        Err(error) if failure::is_conflict(&error) || (replaces && failure::is_not_found(&error)) => Ok(Outcome::Raced),
        Err(source) => {
            let verb = if replaces { "change" } else { "create" };
            Err(KeysError::Api { verb, object: format!("Secret {name}"), source })
        }
    }
}
