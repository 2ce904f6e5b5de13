//! `VouchUser`: a person.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{moment::Moment, schema};

/// What a `VouchUser` declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "vouch.sh",
    version = "v1alpha1",
    kind = "VouchUser",
    doc = "A person, the groups they are in, and the security keys they have enrolled.",
    namespaced,
    shortname = "vu",
    category = "vouch",
    status = "VouchUserStatus",
    derive = "PartialEq",
    selectable = ".spec.email",
    printcolumn(name = "Email", type_ = "string", json_path = ".spec.email"),
    printcolumn(name = "Groups", type_ = "string", json_path = ".spec.groups"),
    printcolumn(name = "Disabled", type_ = "boolean", json_path = ".spec.disabled"),
    printcolumn(name = "Keys", type_ = "integer", json_path = ".status.keyCount"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct VouchUserSpec {
    /// Who this is. It never changes.
    #[schemars(schema_with = "schema::email_address")]
    #[x_kube(validation = ("self == oldSelf", "never changes: keys and sessions belong to it; declare another VouchUser instead"))]
    pub email: String,
    /// Groups, which `allow` lists of roles may name.
    #[serde(default)]
    #[schemars(schema_with = "schema::groups")]
    pub groups: Vec<String>,
    /// No login, no session, no credential.
    #[serde(default)]
    pub disabled: bool,
}

/// What the issuer keeps of a person, and what the operator says of the object.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VouchUserStatus {
    /// `Ready`. Written by the operator.
    #[schemars(schema_with = "schema::conditions")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The generation that the conditions are about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Opaque, stable, never reused; the WebAuthn user handle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Sessions begun before this moment are over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_valid_from: Option<Moment>,
    /// How many security keys are enrolled.
    pub key_count: u32,
    /// Enrolled security keys, in the order of enrollment.
    pub keys: Vec<EnrolledKey>,
    /// The last invite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite: Option<Invite>,
    /// Challenges whose assertions have been accepted and have not expired.
    pub used_challenges: Vec<UsedChallenge>,
}

/// An enrolled security key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnrolledKey {
    /// 16 hexadecimal digits of the SHA-256 of the credential id.
    pub id: String,
    /// The raw credential id, as base64url text.
    pub credential_id: String,
    /// What the person calls it.
    pub name: String,
    /// Its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aaguid: Option<String>,
    /// Whether its attestation was verified.
    pub attested: bool,
    /// When it was enrolled.
    pub created_at: Moment,
    /// The last assertion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Moment>,
    /// The signature counter after the last assertion.
    pub counter: u32,
    /// The public key and its properties, as JSON text that only the issuer reads.
    pub credential: String,
}

/// A one-time invite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invite {
    /// A keyed hash of the code; the code is kept nowhere.
    pub hash: String,
    /// Not redeemable from this moment on.
    pub expires_at: Moment,
    /// When it was redeemed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Moment>,
}

/// A challenge whose assertion has been accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsedChallenge {
    /// The beginning of its SHA-256, as base64url text.
    pub digest: String,
    /// Forgotten after this moment.
    pub expires_at: Moment,
}
