//! What a request is about, read from its path (<https://kubernetes.io/docs/reference/using-api/api-concepts/>).

use http::{Method, Request};

/// The verb and the resource of a request, as RBAC names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) verb: &'static str,
    /// `deployments`, `vouchusers/status`; `discovery` for everything that is no resource.
    pub(crate) resource: String,
}

impl Target {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let segments: Vec<&str> = request.uri().path().split('/').filter(|segment| !segment.is_empty()).collect();
        let below_version = match segments.as_slice() {
            ["api", _version, rest @ ..] | ["apis", _, _version, rest @ ..] => rest,
            _ => &[],
        };
        let scoped = match below_version {
            ["namespaces", _namespace, rest @ ..] if !rest.is_empty() => rest,
            other => other,
        };
        let (resource, named) = match scoped {
            [] => return Self { verb: "get", resource: "discovery".to_owned() },
            [resource] => ((*resource).to_owned(), false),
            [resource, _name] => ((*resource).to_owned(), true),
            [resource, _name, subresource, ..] => (format!("{resource}/{subresource}"), true),
        };
        let query = request.uri().query().unwrap_or_default();
        let watches = query.split('&').any(|pair| matches!(pair, "watch" | "watch=true" | "watch=1"));
        let verb = match *request.method() {
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ if watches => "watch",
            _ if named => "get",
            _ => "list",
        };
        Self { verb, resource }
    }

    pub(crate) fn is_watch(&self) -> bool {
        self.verb == "watch"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_request_is_told_by_its_verb_and_resource() {
        for (method, uri, verb, resource) in [
            ("GET", "/apis/vouch.sh/v1alpha1/vouchissuers?limit=500", "list", "vouchissuers"),
            ("GET", "/apis/vouch.sh/v1alpha1/vouchissuers?watch=true", "watch", "vouchissuers"),
            ("GET", "/apis/apps/v1/namespaces/vouch/deployments/vouch", "get", "deployments"),
            ("PATCH", "/apis/vouch.sh/v1alpha1/namespaces/a/vouchusers/b/status", "patch", "vouchusers/status"),
            ("POST", "/api/v1/namespaces/a/secrets", "create", "secrets"),
            ("GET", "/api/v1/namespaces/a", "get", "namespaces"),
            ("GET", "/apis/monitoring.coreos.com/v1", "get", "discovery"),
            ("GET", "/apis", "get", "discovery"),
        ] {
            let request = Request::builder().method(method).uri(uri).body(()).unwrap();
            assert_eq!(Target::of(&request), Target { verb, resource: resource.to_owned() }, "{method} {uri}");
        }
    }
}
