//! `AwsFederation`: which people may take which roles in which AWS accounts, and what the operator keeps there.

mod roles;
mod status;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{roles::*, status::*};
use crate::schema;

/// What an `AwsFederation` declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "vouch.sh",
    version = "v1alpha1",
    kind = "AwsFederation",
    doc = "Which people may take which roles in which AWS accounts, and what the operator keeps there.",
    namespaced,
    shortname = "af",
    category = "vouch",
    status = "AwsFederationStatus",
    derive = "PartialEq",
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.account"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Roles", type_ = "string", json_path = ".status.rolesReady"),
    printcolumn(name = "Drift", type_ = "integer", json_path = ".status.driftCount"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("size(self.spokes) == 0 || has(self.hub)")
    .message("spokes are reached through a hub; declare spec.hub"))]
#[x_kube(validation = Rule::new("has(self.hub) || size(self.roles) + size(self.spokes) > 0")
    .message("declares no role; add roles, or a hub and spokes"))]
#[x_kube(validation = Rule::new("!has(self.hub) || !self.roles.exists(r, r.name == self.hub.name)")
    .message("must differ from the names in spec.roles: IAM has one role of a name in an account")
    .field_path(".hub.name"))]
pub struct AwsFederationSpec {
    /// The issuer that AWS shall trust.
    pub issuer_ref: IssuerRef,
    /// Whether the operator writes.
    #[serde(default)]
    pub mode: Mode,
    /// What to do with a provider or role that exists already.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,
    /// What happens in AWS when this object is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// The AWS partition of every account named here. It never changes.
    #[serde(default)]
    #[x_kube(validation = ("self == oldSelf", "never changes: the accounts of one partition do not exist in another"))]
    pub partition: Partition,
    /// The account of the provider, of `roles` and of the hub. It never changes.
    #[schemars(schema_with = "schema::account")]
    #[x_kube(validation = ("self == oldSelf", "never changes: what exists in the old account would be forgotten; declare another AwsFederation"))]
    pub account: String,
    /// The role that the operator takes to work in that account. Unset: it works with the identity it runs with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::role_arn")]
    pub assume_role_arn: Option<String>,
    /// The identity provider in `account`.
    #[serde(default)]
    pub provider: Provider,
    /// Roles in `account` that people take directly.
    #[serde(default)]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".to_owned()]))]
    pub roles: Vec<Role>,
    /// The role in `account` through which the roles in other accounts are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<Hub>,
    /// Roles in other accounts, reached through the hub.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub spokes: Vec<Spoke>,
    /// Service control policies that protect all this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrails: Option<Guardrails>,
    /// The operator leaves everything of this object as it is. The issuer goes on to enforce it.
    #[serde(default)]
    pub paused: bool,
}

/// A `VouchIssuer` in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuerRef {
    /// Its name.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

/// Whether the operator writes to AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// AWS is made to agree with this object.
    #[default]
    Enforce,
    /// AWS is read, and the plan reported; nothing is written.
    Observe,
}

/// What to do with a provider or role that exists already and is not this object's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum AdoptionPolicy {
    /// Refuse, and leave it as it is.
    #[default]
    Never,
    /// Adopt what carries this object's ownership tag.
    IfTagged,
    /// Adopt it.
    Always,
}

/// What happens in AWS when the object is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Nothing.
    #[default]
    Retain,
    /// What carries this object's ownership tag and UID is deleted.
    Delete,
}

/// A separate AWS world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Partition {
    /// The commercial regions.
    #[default]
    #[serde(rename = "aws")]
    Aws,
    /// China.
    #[serde(rename = "aws-cn")]
    AwsCn,
    /// GovCloud.
    #[serde(rename = "aws-us-gov")]
    AwsUsGov,
}

/// The IAM OIDC identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// Audiences that AWS accepts. Empty: the issuer's URL, which is what its tokens carry.
    #[serde(default)]
    #[schemars(schema_with = "schema::client_ids")]
    pub client_ids: Vec<String>,
    /// Fingerprints of certificates. Unset: left to AWS, which trusts public certificate authorities by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::thumbprints")]
    pub thumbprints: Option<Vec<String>>,
}
