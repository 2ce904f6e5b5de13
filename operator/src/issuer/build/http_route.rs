//! How people reach the pods through a `Gateway` (<https://gateway-api.sigs.k8s.io/reference/spec/>).

use serde_json::{Value, json};

use super::{ValidIssuer, public_port};

pub(super) fn http_route(issuer: &ValidIssuer) -> Option<Value> {
    let gateway = issuer.spec().exposure.gateway.as_ref()?;
    Some(json!({
        "spec": {
            "parentRefs": [{
                "group": "gateway.networking.k8s.io",
                "kind": "Gateway",
                "name": gateway.name,
                "namespace": gateway.namespace,
                "sectionName": gateway.section_name,
            }],
            "hostnames": [issuer.url().host()],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": issuer.path_prefix()}}],
                "backendRefs": [{
                    "group": "",
                    "kind": "Service",
                    "name": issuer.name(),
                    "port": public_port(issuer).1,
                    "weight": 1,
                }],
            }],
        },
    }))
}
