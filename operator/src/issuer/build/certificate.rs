//! The pods' certificate, kept by cert-manager (<https://cert-manager.io/docs/reference/api-docs/>).

use serde_json::{Value, json};

use super::ValidIssuer;

pub(super) fn certificate(issuer: &ValidIssuer) -> Option<Value> {
    let tls = issuer.spec().exposure.tls.as_ref()?;
    let issuer_ref = &tls.cert_manager.as_ref()?.issuer_ref;
    Some(json!({
        "spec": {
            "secretName": tls.secret_name,
            "dnsNames": [issuer.url().host()],
            "issuerRef": {"name": issuer_ref.name, "kind": issuer_ref.kind, "group": issuer_ref.group},
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "usages": ["digital signature", "server auth"],
        },
    }))
}
