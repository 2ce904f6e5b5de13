//! The issuer's configuration: the same manifests that a cluster takes.

use serde_json::{Value, json};

/// The issuer of every world.
pub const ISSUER_URL: &str = "https://vouch.example.com";
/// Where it publishes its keys.
pub const JWKS_URL: &str = "https://vouch.example.com/.well-known/jwks.json";
/// Its host.
pub const ISSUER_HOST: &str = "vouch.example.com";

/// A stream of manifests. Tests change the values before the world starts.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The `VouchIssuer`.
    pub issuer: Value,
    /// Everything else.
    pub others: Vec<Value>,
}

impl Manifest {
    /// The example organisation, whose keys are made by `attestation_root` (PEM). No account is governed.
    #[must_use]
    pub fn example(attestation_root: &str) -> Self {
        let spec = json!({
            "url": ISSUER_URL,
            "organization": {"name": "Example Inc", "emailDomains": ["example.com"]},
            "authenticators": {"policy": "YubiKey", "attestationRoots": {"pem": attestation_root}},
        });
        Self { issuer: object("VouchIssuer", "vouch", &spec), others: Vec::new() }
    }

    /// Lets everybody ask as often as a test does.
    pub fn lift_rate_limits(&mut self) {
        let unlimited = json!({"requestsPerMinute": 1_000_000, "burst": 1_000_000});
        self.issuer["spec"]["rateLimits"] = json!({"perClient": unlimited, "perUser": unlimited});
    }

    /// Adds an object.
    pub fn add(&mut self, kind: &str, name: &str, spec: &Value) {
        self.others.push(object(kind, name, spec));
    }

    /// Governs the hub's account and the spokes' accounts, for everybody in example.com.
    pub fn govern(&mut self, hub: &str, spokes: &[&str]) {
        let everybody = json!({"domains": ["example.com"]});
        self.add(
            "AwsFederation",
            "acme",
            &json!({
                "issuerRef": {"name": "vouch"},
                "account": hub,
                "hub": {"name": "VouchAccess", "allow": everybody},
                "spokes": [{
                    "name": "VouchAccess", "allow": everybody, "delivery": "External", "targets": {"accounts": spokes},
                }],
            }),
        );
    }

    /// The file: JSON documents, which are YAML documents.
    #[must_use]
    pub fn text(&self) -> String {
        let documents = std::iter::once(&self.issuer).chain(&self.others);
        documents.map(|document| format!("---\n{document:#}\n")).collect()
    }
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "vouch.sh/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}
