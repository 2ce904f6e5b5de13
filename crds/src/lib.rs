//! The custom resources of `vouch.sh/v1alpha1`: the one configuration language of Vouch.
//!
//! A cluster takes these manifests by `kubectl apply`; an issuer that runs alone reads the same ones from a file. The
//! types here are the wire format only: they carry text as it was written, and whoever acts on an object turns it into
//! validated values first. What makes an object acceptable stands in its schema, as CEL rules with sentences, so that
//! an API server and an issuer without one refuse the same objects with the same words.
//!
//! Nothing in this crate reads or writes anything.

// The derives of kube copy each public type into a function, where `pub` reaches nobody; and clippy takes the equal
// members of two print columns for repeated attributes.
#![allow(unreachable_pub, clippy::duplicated_attributes)]

pub mod client;
pub mod duration;
pub mod federation;
pub mod issuer;
pub mod moment;
pub mod names;
pub mod reference;
mod schema;
pub mod user;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

/// The API group.
pub const GROUP: &str = "vouch.sh";
/// The version served and stored.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of every manifest.
pub const API_VERSION: &str = "vouch.sh/v1alpha1";

/// A resource of this crate, with the definition it is installed by.
#[derive(Debug, Clone)]
pub struct Definition {
    /// `VouchIssuer`, for example.
    pub kind: &'static str,
    /// `vouchissuers.vouch.sh`, for example; also the stem of the generated file's name.
    pub name: String,
    /// The whole `CustomResourceDefinition`, as JSON.
    pub manifest: Value,
}

impl Definition {
    /// The structural schema of an object of this kind.
    #[must_use]
    pub fn schema(&self) -> &Value {
        self.manifest.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap_or(&Value::Null)
    }

    /// The name of the generated file, in `crds/yaml`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.yaml", self.name)
    }

    /// The text of the generated file.
    ///
    /// # Errors
    /// When the manifest cannot be written as YAML.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::SerializeError> {
        let yaml = serde_saphyr::to_string(&self.manifest)?;
        Ok(format!("# Generated from the types in crds/src by `cargo run -p vouch-crds --example generate`.\n{yaml}"))
    }
}

/// A kind, and what makes its definition.
type Kind = (&'static str, fn() -> CustomResourceDefinition);

/// In the order in which they are documented.
const KINDS: [Kind; 4] = [
    ("VouchIssuer", issuer::VouchIssuer::crd),
    ("AwsFederation", federation::AwsFederation::crd),
    ("VouchUser", user::VouchUser::crd),
    ("OidcClient", client::OidcClient::crd),
];

/// Every resource.
#[must_use]
pub fn definitions() -> Vec<Definition> {
    KINDS.map(define).into()
}

/// The resource of a kind.
#[must_use]
pub fn definition(kind: &str) -> Option<Definition> {
    KINDS.into_iter().find(|(known, _)| *known == kind).map(define)
}

fn define((kind, crd): Kind) -> Definition {
    let crd = crd();
    let name = crd.metadata.name.clone().unwrap_or_default();
    let mut manifest = serde_json::json!(crd);
    as_kubernetes_knows(&mut manifest);
    Definition { kind, name, manifest }
}

/// Removes what schemars writes and Kubernetes does not want. `nullable`, because an API server treats `null` as absent
/// where it is not allowed, before it fills in defaults, so no CEL rule has to tell the two apart. `format: uint32`,
/// which it does not know; every such field has bounds.
fn as_kubernetes_knows(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("nullable");
            if members.get("format").is_some_and(|format| format == "uint32") {
                members.remove("format");
            }
            members.values_mut().for_each(as_kubernetes_knows);
        }
        Value::Array(items) => items.iter_mut().for_each(as_kubernetes_knows),
        _ => {}
    }
}
