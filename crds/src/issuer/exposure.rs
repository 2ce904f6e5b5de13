//! How clients reach the pods of an issuer in a cluster.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// How clients reach the pods.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exposure {
    /// The pods speak TLS themselves. Unset: something in front of them does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The `Service` in front of the pods.
    #[serde(default)]
    pub service: ServiceExposure,
    /// An `Ingress` for the host of `spec.url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressExposure>,
    /// An `HTTPRoute` for the host of `spec.url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayExposure>,
    /// Who may connect to the pods.
    #[serde(default)]
    pub network_policy: NetworkPolicyExposure,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// A Secret of type `kubernetes.io/tls`. Pods read it again when it changes.
    #[schemars(schema_with = "schema::object_name")]
    pub secret_name: String,
    /// cert-manager keeps a certificate for the host of `spec.url` in that Secret. Unset: somebody else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_manager: Option<CertManager>,
}

/// Certificates by cert-manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertManager {
    /// Who issues them.
    pub issuer_ref: CertificateIssuerRef,
}

/// An issuer of cert-manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateIssuerRef {
    /// Its name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// `Issuer` in the same namespace, `ClusterIssuer`, or a kind of another group.
    #[serde(default = "certificate_issuer_kind")]
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Its API group.
    #[serde(default = "certificate_issuer_group")]
    #[schemars(length(min = 1, max = 253))]
    pub group: String,
}

fn certificate_issuer_kind() -> String {
    "Issuer".to_owned()
}

fn certificate_issuer_group() -> String {
    "cert-manager.io".to_owned()
}

/// A `Service`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type == 'LoadBalancer' || !has(self.loadBalancerClass)")
    .message("only a Service of type LoadBalancer has a class").field_path(".loadBalancerClass"))]
#[x_kube(validation = Rule::new("self.type != 'ClusterIP' || self.externalTrafficPolicy == 'Cluster'")
    .message("a Service of type ClusterIP has no external traffic").field_path(".externalTrafficPolicy"))]
#[x_kube(validation = Rule::new("self.type != 'LoadBalancer' || oldSelf.type != 'LoadBalancer' || \
        (has(self.loadBalancerClass) ? self.loadBalancerClass : '') == \
        (has(oldSelf.loadBalancerClass) ? oldSelf.loadBalancerClass : '')")
    .message("never changes while type is LoadBalancer; make it ClusterIP first, which gives the address up")
    .field_path(".loadBalancerClass"))]
pub struct ServiceExposure {
    /// Who reaches it.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,
    /// Annotations that the cloud understands.
    #[serde(default)]
    #[schemars(schema_with = "schema::annotations")]
    pub annotations: BTreeMap<String, String>,
    /// Which load balancer serves it. Unset: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::load_balancer_class")]
    pub load_balancer_class: Option<String>,
    /// Whether traffic from outside stays on the node it came to. Local keeps the client's address, by which requests
    /// are limited and which the audit trail shows.
    #[serde(default)]
    pub external_traffic_policy: ExternalTrafficPolicy,
}

/// Who reaches a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// The cluster.
    #[default]
    ClusterIP,
    /// Whoever reaches a node.
    NodePort,
    /// Whoever reaches the load balancer.
    LoadBalancer,
}

/// Where traffic from outside goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum ExternalTrafficPolicy {
    /// To any pod.
    #[default]
    Cluster,
    /// To pods of the same node.
    Local,
}

/// A `NetworkPolicy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicyExposure {
    /// The public port is open to everybody, the private one to `metricsNamespaces`, no other port to anybody.
    #[serde(default = "network_policy_enabled")]
    pub enabled: bool,
    /// Namespaces whose pods may read metrics. Empty: every namespace.
    #[serde(default)]
    #[schemars(schema_with = "schema::namespaces")]
    pub metrics_namespaces: Vec<String>,
}

impl Default for NetworkPolicyExposure {
    fn default() -> Self {
        Self { enabled: network_policy_enabled(), metrics_namespaces: Vec::new() }
    }
}

const fn network_policy_enabled() -> bool {
    true
}

/// An `Ingress`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.className) || !('kubernetes.io/ingress.class' in self.annotations)")
    .message("kubernetes.io/ingress.class says the same as className; remove it").field_path(".annotations"))]
pub struct IngressExposure {
    /// The controller that serves it. Unset: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub class_name: Option<String>,
    /// Annotations that the controller understands.
    #[serde(default)]
    #[schemars(schema_with = "schema::annotations")]
    pub annotations: BTreeMap<String, String>,
    /// A Secret of type `kubernetes.io/tls` for the controller. Unset: its own certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub tls_secret_name: Option<String>,
}

/// An `HTTPRoute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayExposure {
    /// The `Gateway` that the route is attached to.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Its namespace. Unset: the issuer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace")]
    pub namespace: Option<String>,
    /// One of its listeners. Unset: every one that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::listener")]
    pub section_name: Option<String>,
}
