//! How an issuer runs in a cluster: its store, its pods, and how clients reach them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::KeyRef;
use crate::schema;

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
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            priority_class_name: None,
        }
    }
}

const fn replicas() -> u32 {
    3
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
    /// An `Ingress` for the host of `spec.url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressExposure>,
    /// An `HTTPRoute` for the host of `spec.url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayExposure>,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// A Secret of type `kubernetes.io/tls`.
    #[schemars(schema_with = "schema::object_name")]
    pub secret_name: String,
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
