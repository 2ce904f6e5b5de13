//! What the cluster has, read once at the beginning of a pass.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, ListParams},
    core::DynamicObject,
};
use serde_json::Value;
use vouch_crds::{
    client::OidcClient,
    federation::AwsFederation,
    issuer::{VouchIssuer, VouchIssuerSpec},
};
use vouch_issuer::config::objects::{self, attestation_roots, declaration};

use super::{build, validate::Sibling};
use crate::apply::{Kind, Live, OptionalApis, Owner};

/// Requests under way at once. Each has a connection with TLS of its own, which stays open for a while.
const AT_ONCE: usize = 4;

/// Something could not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read {what}")]
pub struct GatherError {
    what: String,
    /// Why not.
    #[source]
    pub source: kube::Error,
}

/// The issuers of a namespace that are not being deleted. Only their metadata is read, so that none that nobody can read
/// hides the others.
///
/// # Errors
/// When they cannot be read.
pub async fn siblings(reader: &Client, namespace: &str) -> Result<Vec<Sibling>, GatherError> {
    let api: Api<VouchIssuer> = Api::namespaced(reader.clone(), namespace);
    let found = api.list_metadata(&ListParams::default()).await;
    let found = found.map_err(|source| GatherError { what: format!("the VouchIssuers of {namespace}"), source })?;
    let alive = found.items.iter().filter(|issuer| issuer.metadata.deletion_timestamp.is_none());
    Ok(alive.map(|issuer| Sibling::of(&issuer.metadata)).collect())
}

/// Every object of an issuer, and whatever has the place of one.
///
/// # Errors
/// When one cannot be read. A part of the truth would look like objects that are missing.
pub async fn live(reader: &Client, owner: &Owner, apis: &OptionalApis) -> Result<Live, GatherError> {
    let slots = build::slots(&owner.name).into_iter().filter(|(kind, _)| apis.serves(*kind));
    let found = stream::iter(slots.map(|(kind, name)| get(reader, owner, kind, name))).buffer_unordered(AT_ONCE);
    found.try_filter_map(|found| async { Ok(found) }).try_collect().await
}

/// The objects that configure an issuer beside its own, as manifests: what people declare, as its pods read it.
///
/// # Errors
/// When they cannot be read.
pub async fn configuration(reader: &Client, owner: &Owner, spec: &VouchIssuerSpec) -> Result<Vec<Value>, GatherError> {
    let mut objects = Vec::new();
    for kind in [ApiResource::erase::<AwsFederation>(&()), ApiResource::erase::<OidcClient>(&())] {
        let found = list(reader, owner, &kind, &ListParams::default()).await?;
        let ours = found.iter().filter(|object| issuer_of(object) == Some(owner.name.as_str()));
        objects.extend(ours.map(|object| declaration(&kind.kind, &object.metadata, object.data.get("spec"))));
    }
    let roots = spec.authenticators.attestation_roots.as_ref().and_then(|roots| roots.config_map_ref.as_ref());
    if let Some(reference) = roots {
        let (kind, name) = (ApiResource::erase::<ConfigMap>(&()), &reference.name);
        // The operator may list ConfigMaps, and has no need to get one.
        let only_that = ListParams::default().fields(&format!("metadata.name={name}"));
        let found = list(reader, owner, &kind, &only_that).await?.into_iter().find(|found| found.name_any() == *name);
        objects.extend(found.map(|found| attestation_roots(&found.metadata, found.data.get("data"))));
    }
    Ok(objects)
}

/// The issuer that an object configures.
#[must_use]
pub fn issuer_of(object: &DynamicObject) -> Option<&str> {
    objects::issuer_of(&object.data)
}

async fn list(
    reader: &Client,
    owner: &Owner,
    kind: &ApiResource,
    which: &ListParams,
) -> Result<Vec<DynamicObject>, GatherError> {
    let api: Api<DynamicObject> = Api::namespaced_with(reader.clone(), &owner.namespace, kind);
    match api.list(which).await {
        Ok(found) => Ok(found.items),
        Err(source) => Err(GatherError { what: format!("the {} objects of {}", kind.kind, owner.namespace), source }),
    }
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
