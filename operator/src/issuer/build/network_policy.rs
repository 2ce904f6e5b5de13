//! Who may connect to the pods: everybody to the public port, metrics readers to the private one.
//!
//! It says nothing about where pods may connect to: they need the API server and name resolution, and where those are is
//! different in every cluster.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use vouch_crds::names::port;

use super::{ValidIssuer, pod_selector};

/// Set by Kubernetes on every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

pub(super) fn network_policy(issuer: &ValidIssuer) -> Option<NetworkPolicy> {
    let declared = &issuer.spec().exposure.network_policy;
    if !declared.enabled {
        return None;
    }
    let readers = if declared.metrics_namespaces.is_empty() {
        vec![namespaces(LabelSelector::default())]
    } else {
        declared.metrics_namespaces.iter().map(|name| namespaces(named(name))).collect()
    };
    let spec = NetworkPolicySpec {
        pod_selector: Some(pod_selector(issuer)),
        policy_types: Some(vec!["Ingress".to_owned()]),
        ingress: Some(vec![
            NetworkPolicyIngressRule { ports: Some(vec![tcp(port::PUBLIC)]), from: None },
            NetworkPolicyIngressRule { ports: Some(vec![tcp(port::PRIVATE)]), from: Some(readers) },
        ]),
        egress: None,
    };
    Some(NetworkPolicy { spec: Some(spec), ..NetworkPolicy::default() })
}

fn tcp(port: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(port.into())),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    }
}

fn namespaces(selector: LabelSelector) -> NetworkPolicyPeer {
    NetworkPolicyPeer { namespace_selector: Some(selector), ..NetworkPolicyPeer::default() }
}

fn named(namespace: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(BTreeMap::from([(NAMESPACE_NAME.to_owned(), namespace.to_owned())])),
        ..LabelSelector::default()
    }
}
