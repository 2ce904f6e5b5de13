//! The controller of `OidcClient`: says whether an application can sign people in. It changes nothing but conditions.
//!
//! A Secret with a client's secret is somebody else's: it is read when its turn comes, and never watched, for that would
//! take the right to read every Secret of the cluster at once.

pub mod judge;
#[cfg(test)]
mod tests;

use std::{future::Future, sync::Arc, time::Duration};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, Resource as _,
    core::PartialObjectMeta,
    runtime::{Controller, controller::Action, reflector::ObjectRef, watcher},
};
use vouch_crds::{
    client::{OidcClient, OidcClientStatus},
    issuer::{KeyRef, VouchIssuer},
};
use zeroize::Zeroize as _;

use self::judge::{ClientSecret, Surroundings, judge};
use crate::{
    context::Context,
    controllers::{KindName, Watched, drain, pass, retry},
    failure::Category,
    reason::Tone,
    status::{self, Finding, StatusError, Truth, find, merge, turned},
    tolerant::{self, Tolerant},
};

/// How soon it is looked again whether a Secret is there.
const MISSING: Duration = Duration::from_secs(60);
/// How often it is looked whether it still is.
const RESYNC: Duration = Duration::from_secs(600);

impl KindName for OidcClient {
    const KIND: &'static str = "OidcClient";
}

/// A pass that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The cluster could not be read.
    #[error("could not read {what}")]
    Read {
        /// What was to be read.
        what: String,
        /// Why not.
        #[source]
        source: kube::Error,
    },
    /// The status could not be written.
    #[error(transparent)]
    Status(#[from] StatusError),
}

impl ReconcileError {
    /// What helps.
    #[must_use]
    pub fn category(&self) -> Category {
        match self {
            Self::Read { source, .. } | Self::Status(StatusError::Api { source, .. }) => Category::of(source),
            Self::Status(StatusError::Form { .. }) => Category::Invalid,
        }
    }
}

/// Runs until `stop` ends; then applications in work are finished.
pub async fn run(context: Arc<Context>, watched: Watched, stop: impl Future<Output = ()> + Send + Sync + 'static) {
    let reader = &context.reader;
    let controller = Controller::new(watched.api::<Tolerant<OidcClient>>(reader), watcher::Config::default());
    let known = controller.store();
    let issuers = watched.api::<PartialObjectMeta<VouchIssuer>>(reader);
    let passes = controller
        .with_config(watched.config())
        .watches(issuers, watcher::Config::default(), move |issuer| {
            let of = |client: &Arc<Tolerant<OidcClient>>| match &**client {
                Tolerant::Readable(client) => {
                    client.metadata.namespace == issuer.metadata.namespace
                        && Some(&client.spec.issuer_ref.name) == issuer.metadata.name.as_ref()
                }
                Tolerant::Unreadable(_) => false,
            };
            known
                .state()
                .iter()
                .filter(|client| of(client))
                .map(|client| ObjectRef::from_obj(&**client))
                .collect::<Vec<_>>()
        })
        .graceful_shutdown_on(stop)
        .run(
            |client, context| {
                let work = |client, context| tolerant::reconcile(client, context, reconcile);
                pass(client, context, work, ReconcileError::category)
            },
            |_, failed, context| retry(failed, &context),
            Arc::clone(&context),
        );
    drain(passes, &context, |_, _| {}).await;
}

/// One pass over one application.
///
/// # Errors
/// When the cluster cannot be read or written. The next pass begins anew.
pub async fn reconcile(client: Arc<OidcClient>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    if client.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let finding = judge(&client.spec, gather(&context.reader, &client).await?);
    report(&context, &client, &finding).await?;
    Ok(next_pass(&client, &finding, (context.jitter)()))
}

/// Only a Secret changes without anybody being told.
fn next_pass(client: &OidcClient, finding: &Finding, jitter: f64) -> Action {
    let usual = if finding.truth == Truth::True { RESYNC } else { MISSING };
    match client.spec.secret_ref {
        Some(_) => Action::requeue(usual.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 2.0)),
        None => Action::await_change(),
    }
}

async fn gather(reader: &Client, client: &OidcClient) -> Result<Surroundings, ReconcileError> {
    let namespace = client.metadata.namespace.as_deref().unwrap_or_default();
    let issuers: Api<PartialObjectMeta<VouchIssuer>> = Api::namespaced(reader.clone(), namespace);
    let name = &client.spec.issuer_ref.name;
    let issuer = issuers.get_opt(name).await;
    let issuer = issuer.map_err(|source| ReconcileError::Read { what: format!("VouchIssuer {name}"), source })?;
    let secret = match &client.spec.secret_ref {
        None => ClientSecret::Unwanted,
        Some(reference) => look_for(reader, namespace, reference).await?,
    };
    let alive = |issuer: &PartialObjectMeta<VouchIssuer>| issuer.meta().deletion_timestamp.is_none();
    Ok(Surroundings { issuer: issuer.as_ref().is_some_and(alive), secret })
}

async fn look_for(reader: &Client, namespace: &str, reference: &KeyRef) -> Result<ClientSecret, ReconcileError> {
    let secrets: Api<Secret> = Api::namespaced(reader.clone(), namespace);
    let found = secrets.get_opt(&reference.name).await;
    let found = found.map_err(|source| ReconcileError::Read { what: format!("Secret {}", reference.name), source })?;
    let Some(mut secret) = found else { return Ok(ClientSecret::Absent) };
    let data = secret.data.get_or_insert_default();
    let is_there = data.get(&reference.key).is_some_and(|ByteString(bytes)| !bytes.is_empty());
    data.values_mut().for_each(|ByteString(bytes)| bytes.zeroize());
    Ok(if is_there { ClientSecret::Present } else { ClientSecret::Absent })
}

/// Writes the condition when it says something new, and tells when it turns.
async fn report(context: &Context, client: &OidcClient, finding: &Finding) -> Result<(), StatusError> {
    let (previous, generation) = (client.status.as_ref(), client.metadata.generation);
    let before = previous.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let conditions = merge(before, std::slice::from_ref(finding), generation, (context.now)());
    let next = OidcClientStatus { conditions, observed_generation: generation };
    let written = status::write(&context.held, client, previous, &next).await?;
    let worth_telling = finding.reason.tone() == Tone::Warning || find(before, finding.kind).is_some();
    if written && worth_telling && turned(before, finding) {
        context.events.tell(client, finding.reason, "Reconcile", &finding.message).await;
    }
    Ok(())
}
