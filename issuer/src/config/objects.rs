//! Objects of a cluster as the manifests that [`load_objects`](super::load_objects) reads: what people declare, and nothing
//! that changes by itself.
//!
//! Pods and the operator make them here alone, so that the operator's word on a configuration is the word of its pods.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::{Value, json};
use vouch_crds::API_VERSION;

/// An object of one of Vouch's kinds, by what it declares.
#[must_use]
pub fn declaration(kind: &str, metadata: &ObjectMeta, spec: impl Serialize) -> Value {
    json!({"apiVersion": API_VERSION, "kind": kind, "metadata": named(metadata), "spec": spec})
}

/// The ConfigMap of attestation roots, by what is in it.
#[must_use]
pub fn attestation_roots(metadata: &ObjectMeta, data: impl Serialize) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": named(metadata), "data": data})
}

/// The issuer that an object configures, which its `spec.issuerRef` names.
#[must_use]
pub fn issuer_of(object: &Value) -> Option<&str> {
    object.pointer("/spec/issuerRef/name").and_then(Value::as_str)
}

fn named(metadata: &ObjectMeta) -> Value {
    json!({"name": metadata.name, "namespace": metadata.namespace})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_by_itself_is_no_part_of_a_declaration() {
        let metadata = |version: &str| ObjectMeta {
            name: Some("prod".to_owned()),
            namespace: Some("vouch".to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        let spec = json!({"issuerRef": {"name": "login"}});
        let declared = declaration("AwsFederation", &metadata("1"), &spec);
        assert_eq!(declared, declaration("AwsFederation", &metadata("2"), &spec));
        assert_eq!(issuer_of(&declared), Some("login"));
        let roots = |version| attestation_roots(&metadata(version), json!({"roots.pem": ""}));
        assert_eq!(roots("1"), roots("2"));
        assert_eq!(issuer_of(&roots("1")), None);
    }
}
