//! How the pods are found: by people, and by Prometheus.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};
use vouch_crds::{
    issuer::{ExternalTrafficPolicy, ServiceType},
    names::{label, port},
};

use super::{ValidIssuer, pod_labels, public_port, unless_empty};

/// The component that the metrics Service stands for.
pub(super) const METRICS: &str = "metrics";

/// In front of the pods that are ready.
pub(super) fn public(issuer: &ValidIssuer) -> Service {
    let declared = &issuer.spec().exposure.service;
    let (name, number) = public_port(issuer);
    let type_ = match declared.type_ {
        ServiceType::ClusterIP => "ClusterIP",
        ServiceType::NodePort => "NodePort",
        ServiceType::LoadBalancer => "LoadBalancer",
    };
    let external = match declared.external_traffic_policy {
        ExternalTrafficPolicy::Cluster => "Cluster",
        ExternalTrafficPolicy::Local => "Local",
    };
    let spec = ServiceSpec {
        type_: Some(type_.to_owned()),
        selector: Some(pod_labels(issuer)),
        ports: Some(vec![service_port(name, number)]),
        load_balancer_class: declared.load_balancer_class.clone(),
        external_traffic_policy: (declared.type_ != ServiceType::ClusterIP).then(|| external.to_owned()),
        ..ServiceSpec::default()
    };
    let metadata = ObjectMeta { annotations: unless_empty(&declared.annotations), ..ObjectMeta::default() };
    Service { metadata, spec: Some(spec), ..Service::default() }
}

/// An address for every pod, ready or not: what is wrong with a pod shows in its metrics.
pub(super) fn metrics(issuer: &ValidIssuer) -> Service {
    let spec = ServiceSpec {
        type_: Some("ClusterIP".to_owned()),
        cluster_ip: Some("None".to_owned()),
        publish_not_ready_addresses: Some(true),
        selector: Some(pod_labels(issuer)),
        ports: Some(vec![service_port(port::METRICS, port::PRIVATE.into())]),
        ..ServiceSpec::default()
    };
    let labels = BTreeMap::from([(label::COMPONENT.to_owned(), METRICS.to_owned())]);
    let metadata = ObjectMeta { labels: Some(labels), ..ObjectMeta::default() };
    Service { metadata, spec: Some(spec), ..Service::default() }
}

/// The protocol is given although it is the default: with it, the port is known by the keys that the API server uses.
fn service_port(name: &str, number: i32) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(name.to_owned())),
        ..ServicePort::default()
    }
}
