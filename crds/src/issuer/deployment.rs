//! How an issuer runs in a cluster: its store and its pods.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::{KubeSchema, core::Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::IntoDeserializer as _};

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
    #[schemars(schema_with = "schema::image")]
    pub image: Option<String>,
    /// What each pod may use. Unset: it asks for 100m CPU and 64Mi memory, and may use 512Mi memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
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
    #[schemars(transform = duration::between(Duration::seconds(1), Duration::minutes(10)))]
    pub drain_delay: Option<Duration>,
    /// Labels of the pods, beside those of the operator.
    #[serde(default)]
    #[schemars(schema_with = "schema::labels")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods.
    #[serde(default)]
    #[schemars(schema_with = "schema::annotations")]
    pub annotations: BTreeMap<String, String>,
    /// How pods are kept apart.
    #[serde(default)]
    pub topology_spread: TopologySpread,
    /// Nodes on which pods may run, by label.
    #[serde(default)]
    #[schemars(schema_with = "schema::labels")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that pods accept.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub tolerations: Vec<Toleration>,
    /// The pods' priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
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

/// What a pod asks for, and what it may use at most.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = asks_for_no_more_than_it_may_use("cpu"))]
#[x_kube(validation = asks_for_no_more_than_it_may_use("memory"))]
#[x_kube(validation = asks_for_no_more_than_it_may_use("ephemeral-storage"))]
pub struct Resources {
    /// What a node must have free. Unset: as much as the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Amounts>,
    /// What a pod may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Amounts>,
}

/// So much of each resource. An issuer uses no other.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, KubeSchema)]
pub struct Amounts {
    /// Processors, such as `2`, or `500m` for half of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub cpu: Option<Quantity>,
    /// Bytes of memory, such as `64Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub memory: Option<Quantity>,
    /// Bytes of the node's disk, where its log is.
    #[serde(default, rename = "ephemeral-storage", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::quantity")]
    pub ephemeral_storage: Option<Quantity>,
}

/// An ill-formed amount satisfies it, because the rule of the field itself has refused it with a better sentence.
fn asks_for_no_more_than_it_may_use(resource: &str) -> Rule {
    let member = resource.replace('-', "__dash__");
    let [asked, most] = ["requests", "limits"].map(|part| format!("self.{part}.{member}"));
    let absent = format!("!has(self.requests) || !has(self.limits) || !has({asked}) || !has({most})");
    let [asked_is_amount, most_is_amount] = [&asked, &most].map(|field| schema::is_amount(field));
    let [asked, most] = [asked, most].map(|field| schema::amount_of(&field));
    let rule = format!("{absent} || !{asked_is_amount} || !{most_is_amount} || !{asked}.isGreaterThan({most})");
    let message = format!("{resource} must not be more than in limits");
    Rule::new(rule).message(message.as_str()).field_path(".requests")
}

/// A taint that pods accept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.key) && self.key != '') || self.operator == 'Exists'")
    .message("must be Exists where no key is given: it accepts every taint").field_path(".operator"))]
#[x_kube(validation = Rule::new("self.operator != 'Exists' || !has(self.value) || self.value == ''")
    .message("must not stand beside operator Exists, which accepts every value").field_path(".value"))]
#[x_kube(validation = Rule::new("!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')")
    .message("needs effect NoExecute, which alone can be put off").field_path(".tolerationSeconds"))]
pub struct Toleration {
    /// The taint's key. Unset: every taint.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "unless_empty")]
    #[schemars(schema_with = "schema::taint_key")]
    pub key: Option<String>,
    /// Whether the taint must have the value.
    #[serde(default)]
    #[schemars(schema_with = "schema::or_empty::<TolerationOperator>")]
    pub operator: TolerationOperator,
    /// The taint's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_value")]
    pub value: Option<String>,
    /// What the taint does to pods that do not accept it. Unset: whatever it does.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "unless_empty")]
    #[schemars(schema_with = "schema::or_empty::<TaintEffect>")]
    pub effect: Option<TaintEffect>,
    /// For how long a pod stays on a node that gets the taint. Unset: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
}

/// Kubernetes' own types write `""` for what is not given.
fn unless_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(|text| T::deserialize(text.into_deserializer())).transpose()
}

/// How a toleration is compared with a taint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// By key and value.
    #[default]
    #[serde(alias = "")]
    Equal,
    /// By the key alone.
    Exists,
}

/// What a taint does to pods that do not accept it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// None comes.
    NoSchedule,
    /// None comes while there is another place.
    PreferNoSchedule,
    /// None comes, and none stays.
    NoExecute,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_read_from_numbers_and_written_as_text() {
        let declared =
            json!({"requests": {"cpu": 1}, "limits": {"cpu": 2, "memory": 1_073_741_824, "ephemeral-storage": "1e9"}});
        let read: Resources = serde_json::from_value(declared).unwrap();
        let written = json!({
            "requests": {"cpu": "1"},
            "limits": {"cpu": "2", "memory": "1073741824", "ephemeral-storage": "1e9"},
        });
        assert_eq!(serde_json::to_value(read).unwrap(), written);
    }

    #[test]
    fn what_is_empty_in_a_toleration_is_not_given() {
        let read = |declared| serde_json::from_value::<Toleration>(declared).unwrap();
        let everything = Toleration { operator: TolerationOperator::Exists, ..Toleration::default() };
        assert_eq!(read(json!({"key": "", "operator": "Exists", "effect": ""})), everything);
        let dedicated = Toleration { key: Some("dedicated".to_owned()), ..Toleration::default() };
        assert_eq!(read(json!({"key": "dedicated", "operator": "", "effect": ""})), dedicated);
        assert_eq!(read(json!({"key": "dedicated", "effect": "NoExecute"})).effect, Some(TaintEffect::NoExecute));
    }
}
