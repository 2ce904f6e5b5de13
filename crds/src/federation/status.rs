//! What the operator reports of an `AwsFederation`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// The state of a federation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AwsFederationStatus {
    /// `Ready`, `Synced`, `Drifted`, `Terminal`, `Paused`.
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The generation that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The identity provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_arn: Option<String>,
    /// Roles as declared and roles declared, such as `3/4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles_ready: Option<String>,
    /// How many objects in AWS differ from what is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_count: Option<u32>,
    /// Every object in AWS that this federation declares.
    pub objects: Vec<AwsObjectStatus>,
    /// The last plan, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

/// An object in AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsObjectStatus {
    /// Its ARN.
    pub arn: String,
    /// How it stands.
    pub state: AwsObjectState,
    /// It existed before this federation and was adopted.
    #[serde(default)]
    pub adopted: bool,
    /// What differs, or why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How an object in AWS stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AwsObjectState {
    /// As declared.
    InSync,
    /// It differs.
    Drifted,
    /// It does not exist.
    Missing,
    /// It exists and belongs to somebody else.
    Foreign,
}
