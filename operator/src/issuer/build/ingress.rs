//! How people reach the pods through an ingress controller.

use k8s_openapi::{
    api::networking::v1::{
        HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
        IngressSpec, IngressTLS, ServiceBackendPort,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{ValidIssuer, public_port, unless_empty};

pub(super) fn ingress(issuer: &ValidIssuer) -> Option<Ingress> {
    let declared = issuer.spec().exposure.ingress.as_ref()?;
    let host = issuer.url().host().to_owned();
    let backend = IngressServiceBackend {
        name: issuer.name().to_owned(),
        port: Some(ServiceBackendPort { name: Some(public_port(issuer).0.to_owned()), number: None }),
    };
    let path = HTTPIngressPath {
        path: Some(issuer.path_prefix().to_owned()),
        path_type: "Prefix".to_owned(),
        backend: IngressBackend { service: Some(backend), resource: None },
    };
    let spec = IngressSpec {
        ingress_class_name: declared.class_name.clone(),
        rules: Some(vec![IngressRule {
            host: Some(host.clone()),
            http: Some(HTTPIngressRuleValue { paths: vec![path] }),
        }]),
        // Without a Secret the controller uses a certificate of its own; it never serves the host without TLS.
        tls: Some(vec![IngressTLS { hosts: Some(vec![host]), secret_name: declared.tls_secret_name.clone() }]),
        ..IngressSpec::default()
    };
    let metadata = ObjectMeta { annotations: unless_empty(&declared.annotations), ..ObjectMeta::default() };
    Some(Ingress { metadata, spec: Some(spec), ..Ingress::default() })
}
