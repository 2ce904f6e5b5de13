//! Manifests to start from. The least that a good installation needs, with the choices that cannot be undone explained.

use std::fmt;

use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::Value;

use super::args::{ClusterArgs, Example};

const ISSUER: &str = include_str!("example/issuer.yaml");
/// The line that names the issuer.
const NAME: &str = "  name: vouch\n";

/// Where the command that applies it names the namespace.
const PLACE: &str = "--namespace vouch ";

/// A manifest: as text with its explanations, as JSON without.
#[derive(Debug)]
pub struct Manifest(String);

/// A manifest, of the name and for the namespace that are asked for.
#[must_use]
pub fn manifest(example: Example, cluster: &ClusterArgs) -> Manifest {
    match example {
        Example::Issuer => Manifest(ISSUER.replacen(NAME, &names(cluster), 1).replacen(PLACE, &place(cluster), 1)),
    }
}

/// In quotes: YAML takes some names, such as `no` and `1e3`, for something else.
fn names(cluster: &ClusterArgs) -> String {
    let name = cluster.issuer.as_ref().map_or_else(|| NAME.to_owned(), |name| format!("  name: \"{name}\"\n"));
    let namespace = cluster.namespace.as_ref().map(|name| format!("  namespace: \"{name}\"\n"));
    name + &namespace.unwrap_or_default()
}

fn place(cluster: &ClusterArgs) -> String {
    cluster.namespace.as_ref().map_or_else(|| PLACE.to_owned(), |name| format!("--namespace {name} "))
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Manifest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object: Value = serde_saphyr::from_str(&self.0).map_err(S::Error::custom)?;
        object.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;

    #[test]
    fn every_rule_of_the_schema_accepts_the_example() {
        let manifest = manifest(Example::Issuer, &ClusterArgs::default()).to_string();
        assert_eq!(manifest, ISSUER);
        let config = vouch_issuer::config::load_str(&manifest).unwrap();
        assert_eq!(config.url.to_string(), "https://vouch.example.com");
    }

    #[test]
    fn the_example_has_the_name_and_the_namespace_that_are_asked_for_and_its_explanations() {
        let cluster =
            ClusterArgs { namespace: Some("1e3".to_owned()), issuer: Some("no".to_owned()), ..ClusterArgs::default() };
        let manifest = manifest(Example::Issuer, &cluster);
        assert_eq!(manifest.to_string().lines().count(), ISSUER.lines().count() + 1);
        let applies = "# An issuer to start from: kubectl apply --namespace 1e3 --filename issuer.yaml\n";
        assert!(manifest.to_string().starts_with(applies), "{manifest}");
        let object = serde_json::to_value(manifest).unwrap();
        assert_eq!(object["metadata"], json!({"name": "no", "namespace": "1e3"}));
        let (kind, domains) = (&object["kind"], &object["spec"]["organization"]["emailDomains"]);
        assert_eq!((kind, domains), (&json!("VouchIssuer"), &json!(["example.com"])));
    }
}
