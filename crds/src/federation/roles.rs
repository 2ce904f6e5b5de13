//! Roles of a federation, and who may take them.

use std::collections::BTreeMap;

use kube::{KubeSchema, core::Rule};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    duration::{self, Duration},
    schema,
};

/// Who may take a role: whoever is matched by any entry of any list.
///
/// It becomes the conditions of the trust policy, and the issuer refuses assertions for anybody else. AWS cannot see
/// groups: for those the issuer alone decides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("size(self.domains) + size(self.emails) + size(self.groups) > 0",
    "must name at least one domain, e-mail or group: an empty list would allow nobody"))]
pub struct Allow {
    /// Everybody with an address in one of these domains. A subdomain is a domain of its own.
    #[serde(default)]
    #[schemars(schema_with = "schema::domains")]
    pub domains: Vec<String>,
    /// These people.
    #[serde(default)]
    #[schemars(schema_with = "schema::emails")]
    pub emails: Vec<String>,
    /// Everybody in one of these groups.
    #[serde(default)]
    #[schemars(schema_with = "schema::groups")]
    pub groups: Vec<String>,
}

fn vouch_path() -> String {
    "/vouch/".to_owned()
}

const fn one_hour() -> Duration {
    Duration::hours(1)
}

/// A role that people take directly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = fits_the_console())]
pub struct Role {
    /// Without its path.
    #[schemars(schema_with = "schema::role_name")]
    pub name: String,
    /// Guardrails protect roles by their path.
    #[serde(default = "vouch_path")]
    #[schemars(schema_with = "schema::role_path")]
    pub path: String,
    /// Who may take it.
    pub allow: Allow,
    /// Managed policies attached to it.
    #[serde(default)]
    #[schemars(schema_with = "schema::policy_arns")]
    pub managed_policy_arns: Vec<String>,
    /// Policies written into it, by name.
    #[serde(default)]
    #[schemars(schema_with = "inline_policies")]
    pub inline_policies: BTreeMap<String, PolicyDocument>,
    /// The longest session.
    #[serde(default = "one_hour")]
    #[schemars(transform = duration::between(Duration::hours(1), Duration::hours(12)))]
    pub max_session_duration: Duration,
    /// The policy that bounds its permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::policy_arn")]
    pub permissions_boundary: Option<String>,
}

/// The role through which spokes are reached. It may do nothing but assume them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = fits_the_console())]
pub struct Hub {
    /// Without its path.
    #[schemars(schema_with = "schema::role_name")]
    pub name: String,
    /// Guardrails protect roles by their path.
    #[serde(default = "vouch_path")]
    #[schemars(schema_with = "schema::role_path")]
    pub path: String,
    /// Who may take it. A spoke is open only to people whom both it and the hub allow.
    pub allow: Allow,
    /// The policy that bounds its permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::policy_arn")]
    pub permissions_boundary: Option<String>,
}

/// A role in other accounts, reached through the hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = fits_the_console())]
#[x_kube(validation = Rule::new("self.delivery != 'Direct' || size(self.targets.organizationalUnits) == 0")
    .message("delivery Direct works account by account; name targets.accounts, or choose StackSet")
    .field_path(".targets.organizationalUnits"))]
#[x_kube(validation = Rule::new("size(self.overrides) == 0 || size(self.targets.organizationalUnits) > 0 \
    || self.overrides.all(o, o.accounts.all(a, a in self.targets.accounts))")
    .message("may only name accounts of targets.accounts, or accounts of targets.organizationalUnits")
    .field_path(".overrides"))]
pub struct Spoke {
    /// Without its path.
    #[schemars(schema_with = "schema::role_name")]
    pub name: String,
    /// Guardrails protect roles by their path.
    #[serde(default = "vouch_path")]
    #[schemars(schema_with = "schema::role_path")]
    pub path: String,
    /// Who may take it. A spoke is open only to people whom both it and the hub allow.
    pub allow: Allow,
    /// Managed policies attached to it.
    #[serde(default)]
    #[schemars(schema_with = "schema::policy_arns")]
    pub managed_policy_arns: Vec<String>,
    /// Policies written into it, by name.
    #[serde(default)]
    #[schemars(schema_with = "inline_policies")]
    pub inline_policies: BTreeMap<String, PolicyDocument>,
    /// The policy that bounds its permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::policy_arn")]
    pub permissions_boundary: Option<String>,
    /// How it gets into those accounts.
    #[serde(default)]
    pub delivery: Delivery,
    /// Where it is.
    pub targets: Targets,
    /// Accounts in which it has other permissions.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub overrides: Vec<Override>,
}

/// How a spoke gets into its accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Delivery {
    /// A CloudFormation StackSet of the organization, which reaches new accounts by itself.
    #[default]
    StackSet,
    /// The operator works in each account, through a role there.
    Direct,
    /// Somebody else (Terraform, for example) creates it; the operator only looks.
    External,
}

/// Accounts, by their place in the organization or one by one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("size(self.organizationalUnits) + size(self.accounts) > 0",
    "must name at least one organizational unit or account"))]
pub struct Targets {
    /// Every account in these organizational units, now and later.
    #[serde(default)]
    #[schemars(schema_with = "schema::organizational_units")]
    pub organizational_units: Vec<String>,
    /// These accounts.
    #[serde(default)]
    #[schemars(schema_with = "schema::accounts")]
    pub accounts: Vec<String>,
}

/// Other permissions in some of a spoke's accounts, in place of the spoke's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// Which accounts.
    #[schemars(schema_with = "schema::few_accounts")]
    #[x_kube(validation = ("size(self) > 0", "must name at least one account"))]
    pub accounts: Vec<String>,
    /// Managed policies attached to it there.
    #[serde(default)]
    #[schemars(schema_with = "schema::policy_arns")]
    pub managed_policy_arns: Vec<String>,
    /// Policies written into it there, by name.
    #[serde(default)]
    #[schemars(schema_with = "inline_policies")]
    pub inline_policies: BTreeMap<String, PolicyDocument>,
}

/// Service control policies that protect providers and roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Guardrails {
    /// Where they are attached.
    pub targets: Targets,
    /// Nobody but the deployment principals may change or delete roles of the paths used here.
    #[serde(default = "yes")]
    pub protect_vouch_roles: bool,
    /// Nobody but the deployment principals may create or delete identity providers.
    #[serde(default = "yes")]
    pub deny_foreign_oidc_providers: bool,
    /// Who is excepted; `*` stands for any text.
    #[schemars(schema_with = "schema::principal_arns")]
    #[x_kube(validation = ("size(self) > 0", "must name at least one principal, or nobody could change these roles again"))]
    pub deployment_principals: Vec<String>,
}

const fn yes() -> bool {
    true
}

/// The console switches roles only up to this length ("Switching to a role", IAM User Guide).
fn fits_the_console() -> Rule {
    Rule::new("size(self.path) + size(self.name) <= 64")
        .message("path and name together must have at most 64 characters, or the console cannot switch to the role")
        .field_path(".name")
}

/// A policy document, as an object.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyDocument(pub Map<String, Value>);

fn inline_policies(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 10,
        "additionalProperties": {
            "type": "object",
            "required": ["Statement"],
            "properties": {"Statement": {"x-kubernetes-preserve-unknown-fields": true}},
            "x-kubernetes-preserve-unknown-fields": true,
        },
    })
}
