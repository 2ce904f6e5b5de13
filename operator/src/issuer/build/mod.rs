//! Every object of an issuer, from its declaration alone: one file for each kind, no client anywhere.

mod access;
mod autoscaler;
mod certificate;
mod deployment;
mod disruption_budget;
mod http_route;
mod ingress;
mod network_policy;
mod service_monitor;
mod services;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Serialize;
use vouch_crds::names::{self, port};

use super::validate::ValidIssuer;
use crate::apply::{Desired, Kind, OptionalApis};

/// An object cannot be carried by JSON: a mistake in this program.
#[derive(Debug, thiserror::Error)]
#[error("{kind} {name} cannot be written as JSON")]
pub struct BuildError {
    kind: Kind,
    name: String,
    #[source]
    source: serde_json::Error,
}

/// Everything that is wanted and that the cluster can have, in the order in which it is applied.
///
/// # Errors
/// When an object cannot be carried by JSON.
pub fn build(issuer: &ValidIssuer, apis: &OptionalApis) -> Result<Vec<Desired>, BuildError> {
    let mut objects = Objects { issuer, built: Vec::new() };
    objects.add(Kind::ServiceAccount, &access::service_account())?;
    objects.add(Kind::Role, &access::role(issuer))?;
    objects.add(Kind::RoleBinding, &access::role_binding(issuer))?;
    objects.add_some(Kind::NetworkPolicy, network_policy::network_policy(issuer).as_ref())?;
    objects.add_some(
        Kind::Certificate,
        certificate::certificate(issuer).filter(|_| apis.serves(Kind::Certificate)).as_ref(),
    )?;
    objects.add(Kind::Service, &services::public(issuer))?;
    objects.add_named(Kind::Service, names::metrics_service(issuer.name()), &services::metrics(issuer))?;
    objects.add(Kind::PodDisruptionBudget, &disruption_budget::disruption_budget(issuer))?;
    objects.add(Kind::Deployment, &deployment::deployment(issuer))?;
    objects.add_some(Kind::HorizontalPodAutoscaler, autoscaler::autoscaler(issuer).as_ref())?;
    objects.add_some(Kind::Ingress, ingress::ingress(issuer).as_ref())?;
    objects
        .add_some(Kind::HttpRoute, http_route::http_route(issuer).filter(|_| apis.serves(Kind::HttpRoute)).as_ref())?;
    if apis.serves(Kind::ServiceMonitor) {
        objects.add(Kind::ServiceMonitor, &service_monitor::service_monitor(issuer))?;
    }
    Ok(objects.built)
}

/// The names of every object that an issuer may ever have had: what is not wanted any more is looked for under them.
#[must_use]
pub fn slots(issuer: &str) -> Vec<(Kind, String)> {
    let own = Kind::ALL.into_iter().map(|kind| (kind, issuer.to_owned()));
    own.chain([(Kind::Service, names::metrics_service(issuer))]).collect()
}

struct Objects<'a> {
    issuer: &'a ValidIssuer,
    built: Vec<Desired>,
}

impl Objects<'_> {
    fn add(&mut self, kind: Kind, object: &impl Serialize) -> Result<(), BuildError> {
        self.add_named(kind, self.issuer.name().to_owned(), object)
    }

    fn add_some(&mut self, kind: Kind, object: Option<&impl Serialize>) -> Result<(), BuildError> {
        object.map_or(Ok(()), |object| self.add(kind, object))
    }

    fn add_named(&mut self, kind: Kind, name: String, object: &impl Serialize) -> Result<(), BuildError> {
        match Desired::new(self.issuer.owner(), kind, &name, object) {
            Ok(desired) => self.built.push(desired),
            Err(source) => return Err(BuildError { kind, name, source }),
        }
        Ok(())
    }
}

/// The labels by which the pods of an issuer are found.
fn pod_labels(issuer: &ValidIssuer) -> BTreeMap<String, String> {
    issuer.owner().selector().into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn pod_selector(issuer: &ValidIssuer) -> LabelSelector {
    LabelSelector { match_labels: Some(pod_labels(issuer)), ..LabelSelector::default() }
}

/// The name of the public port, and the port of the Service in front of it.
fn public_port(issuer: &ValidIssuer) -> (&'static str, i32) {
    if issuer.spec().exposure.tls.is_some() { (port::HTTPS, 443) } else { (port::HTTP, 80) }
}

/// `None` for an empty map: what is empty is not applied, so that it is nobody's.
fn unless_empty(map: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    (!map.is_empty()).then(|| map.clone())
}
