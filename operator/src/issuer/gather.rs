//! What the cluster has, read once at the beginning of a pass.

use futures::future::try_join_all;
use kube::{Api, Client, api::ListParams, core::DynamicObject};
use vouch_crds::issuer::VouchIssuer;

use super::{build, validate::Sibling};
use crate::apply::{Kind, Live, OptionalApis, Owner};

/// Something could not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read {what}")]
pub struct GatherError {
    what: String,
    /// Why not.
    #[source]
    pub source: kube::Error,
}

/// The issuers of a namespace that are not being deleted.
///
/// # Errors
/// When they cannot be read.
pub async fn siblings(reader: &Client, namespace: &str) -> Result<Vec<Sibling>, GatherError> {
    let api: Api<VouchIssuer> = Api::namespaced(reader.clone(), namespace);
    let found = api.list(&ListParams::default()).await;
    let found = found.map_err(|source| GatherError { what: format!("the VouchIssuers of {namespace}"), source })?;
    let alive = found.items.iter().filter(|issuer| issuer.metadata.deletion_timestamp.is_none());
    Ok(alive.map(Sibling::of).collect())
}

/// Every object of an issuer, and whatever has the place of one.
///
/// # Errors
/// When one cannot be read. A part of the truth would look like objects that are missing.
pub async fn live(reader: &Client, owner: &Owner, apis: &OptionalApis) -> Result<Live, GatherError> {
    let slots = build::slots(&owner.name).into_iter().filter(|(kind, _)| apis.serves(*kind));
    let found = try_join_all(slots.map(|(kind, name)| get(reader, owner, kind, name))).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn get(
    reader: &Client,
    owner: &Owner,
    kind: Kind,
    name: String,
) -> Result<Option<((Kind, String), DynamicObject)>, GatherError> {
    let api: Api<DynamicObject> = Api::namespaced_with(reader.clone(), &owner.namespace, &kind.resource());
    match api.get_opt(&name).await {
        Ok(found) => Ok(found.map(|object| ((kind, name), object))),
        Err(source) => Err(GatherError { what: format!("{kind} {name}"), source }),
    }
}
