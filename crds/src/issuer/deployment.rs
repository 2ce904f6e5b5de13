//! How an issuer runs in a cluster: its store, its pods, and how clients reach them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::KeyRef;
use crate::{
    duration::{self, Duration},
    schema,
};

/// Where people and their keys are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.kind == 'Postgres') == has(self.secretRef)")
    .message("kind Postgres needs secretRef, the Secret with its connection URL; kind Kubernetes takes none"))]
pub struct Store {
    /// Which store.
    pub kind: StoreKind,
    /// The connection URL of Postgres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<KeyRef>,
}

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StoreKind {
    /// `VouchUser` objects.
    Kubernetes,
    /// A database, for large organizations.
    Postgres,
}

/// The pods of an issuer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// How many, when there is no autoscaling.
    #[serde(default = "replicas")]
    #[schemars(range(min = 1, max = 100))]
    pub replicas: u32,
    /// A horizontal autoscaler sets the number of replicas instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// The image. Unset: the one that belongs to the operator's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// What each pod may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// When a node fetches the image. Unset: as Kubernetes does, once for each node unless the tag is `latest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// Secrets of type `kubernetes.io/dockerconfigjson` for the image's registry.
    #[serde(default)]
    #[schemars(schema_with = "schema::object_names")]
    pub image_pull_secrets: Vec<String>,
    /// What pods write to their log: a level, or directives such as `warn,vouch_issuer=debug`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub log: Option<String>,
    /// How long a pod that is told to stop goes on taking new requests: until every load balancer has noticed. It then has a
    /// minute for those in flight. Unset: 10s, and 45s for a Service of type LoadBalancer with externalTrafficPolicy Local,
    /// whose load balancer asks each node whether it has a pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::between(Duration::seconds(1), Duration::minutes(10)))]
    pub drain_delay: Option<Duration>,
    /// Labels of the pods, beside those of the operator.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 50))]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 50))]
    pub annotations: BTreeMap<String, String>,
    /// How pods are kept apart.
    #[serde(default)]
    pub topology_spread: TopologySpread,
    /// Nodes on which pods may run, by label.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 50))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that pods accept.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub tolerations: Vec<Toleration>,
    /// The pods' priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
}

impl Default for Deployment {
    fn default() -> Self {
        Self {
            replicas: replicas(),
            autoscaling: None,
            image: None,
            resources: None,
            image_pull_policy: None,
            image_pull_secrets: Vec::new(),
            log: None,
            drain_delay: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            topology_spread: TopologySpread::default(),
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            priority_class_name: None,
        }
    }
}

const fn replicas() -> u32 {
    3
}

/// When a node fetches an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ImagePullPolicy {
    /// For every pod.
    Always,
    /// When the node does not have it.
    IfNotPresent,
    /// Never: it must be there.
    Never,
}

/// How pods are kept apart, so that one failure does not take them all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopologySpread {
    /// Labels of nodes; over the values of each one the pods are spread evenly.
    #[serde(default = "topology_keys")]
    #[schemars(schema_with = "schema::label_keys")]
    pub keys: Vec<String>,
    /// A pod waits rather than make the spread uneven. Otherwise it runs where there is room.
    #[serde(default)]
    pub required: bool,
}

impl Default for TopologySpread {
    fn default() -> Self {
        Self { keys: topology_keys(), required: false }
    }
}

fn topology_keys() -> Vec<String> {
    ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].map(ToOwned::to_owned).to_vec()
}

/// Bounds of a horizontal autoscaler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.minReplicas <= self.maxReplicas")
    .message("must be at least minReplicas").field_path(".maxReplicas"))]
pub struct Autoscaling {
    /// Never fewer.
    #[schemars(range(min = 1, max = 100))]
    pub min_replicas: u32,
    /// Never more.
    #[schemars(range(min = 1, max = 100))]
    pub max_replicas: u32,
    /// Average use of the requested CPU, in percent, above which a pod is added.
    #[serde(default = "target_cpu_percent")]
    #[schemars(range(min = 1, max = 100))]
    pub target_cpu_percent: u32,
}

const fn target_cpu_percent() -> u32 {
    70
}

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
pub struct ServiceExposure {
    /// Who reaches it.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,
    /// Annotations that the cloud understands.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 50))]
    pub annotations: BTreeMap<String, String>,
    /// Which load balancer serves it. Unset: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
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
    #[schemars(schema_with = "schema::object_names")]
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
pub struct IngressExposure {
    /// The controller that serves it. Unset: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,
    /// Annotations that the controller understands.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 50))]
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
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// One of its listeners. Unset: every one that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,
}
