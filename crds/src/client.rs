//! `OidcClient`: an application that signs people in.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{federation::IssuerRef, issuer::KeyRef, schema};

/// What an `OidcClient` declares. The object's name is the client id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "vouch.sh",
    version = "v1alpha1",
    kind = "OidcClient",
    doc = "An application that signs people in. The object's name is the client id.",
    namespaced,
    shortname = "oc",
    category = "vouch",
    status = "OidcClientStatus",
    derive = "PartialEq",
    printcolumn(name = "Issuer", type_ = "string", json_path = ".spec.issuerRef.name"),
    printcolumn(name = "Public", type_ = "boolean", json_path = ".spec.public"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("self.public != has(self.secretRef)")
    .message("must either be public: true or have secretRef, the Secret with its client secret"))]
pub struct OidcClientSpec {
    /// The issuer that people sign in at.
    pub issuer_ref: IssuerRef,
    /// As people know the application.
    #[schemars(schema_with = "schema::label")]
    pub display_name: String,
    /// Where people may be sent back to, compared byte for byte.
    #[schemars(schema_with = "schema::redirect_uris")]
    #[x_kube(validation = ("size(self) > 0", "must name at least one URI"))]
    pub redirect_uris: Vec<String>,
    /// What the application may ask for.
    #[serde(default = "default_scopes")]
    #[schemars(length(max = 4))]
    #[x_kube(validation = ("'openid' in self", "must contain openid"))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Set)]
    pub scopes: Vec<Scope>,
    /// It cannot keep a secret (a program on people's machines, a page in their browser) and proves itself by PKCE alone.
    #[serde(default)]
    pub public: bool,
    /// Its client secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<KeyRef>,
}

/// A scope of OpenID Connect Core §5.4, or `groups`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// An ID token.
    Openid,
    /// The e-mail address.
    Email,
    /// The name.
    Profile,
    /// The groups.
    Groups,
}

fn default_scopes() -> Vec<Scope> {
    vec![Scope::Openid, Scope::Email]
}

/// The state of an application.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OidcClientStatus {
    /// `Ready`.
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The generation that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
