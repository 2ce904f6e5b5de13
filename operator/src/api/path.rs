//! What a request is about, read from its path (<https://kubernetes.io/docs/reference/using-api/api-concepts/>).

use http::{Method, Request};

/// What a request does, and to what, as RBAC names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) verb: &'static str,
    /// `""` is the core group.
    pub(crate) group: String,
    /// `deployments`, `vouchusers/status`; `discovery` for everything that is no resource.
    pub(crate) resource: String,
    /// Unless it is about all of them, or about none.
    pub(crate) namespace: Option<String>,
    /// Of the object, when it is about one.
    pub(crate) name: Option<String>,
}

impl Target {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let segments: Vec<&str> = request.uri().path().split('/').filter(|segment| !segment.is_empty()).collect();
        let (group, below_version) = match segments.as_slice() {
            ["api", _version, rest @ ..] => ("", rest),
            ["apis", group, _version, rest @ ..] => (*group, rest),
            _ => ("", &[][..]),
        };
        let (namespace, scoped) = match below_version {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
            other => (None, other),
        };
        let (resource, name) = match scoped {
            [] => ("discovery".to_owned(), None),
            [resource] => ((*resource).to_owned(), None),
            [resource, name] => ((*resource).to_owned(), Some(*name)),
            [resource, name, subresource, ..] => (format!("{resource}/{subresource}"), Some(*name)),
        };
        let query = request.uri().query().unwrap_or_default();
        let watches = query.split('&').any(|pair| matches!(pair, "watch" | "watch=true" | "watch=1"));
        let verb = match *request.method() {
            _ if scoped.is_empty() => "get",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ if watches => "watch",
            _ if name.is_some() => "get",
            _ => "list",
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self { verb, group: group.to_owned(), resource, namespace: owned(namespace), name: owned(name) }
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
    fn a_request_is_told_by_its_verb_and_what_it_is_about() {
        for (method, uri, verb, group, resource, namespace, name) in [
            ("GET", "/apis/vouch.sh/v1alpha1/vouchissuers?limit=500", "list", "vouch.sh", "vouchissuers", None, None),
            ("GET", "/apis/vouch.sh/v1alpha1/vouchissuers?watch=true", "watch", "vouch.sh", "vouchissuers", None, None),
            ("GET", "/apis/apps/v1/namespaces/a/deployments/b", "get", "apps", "deployments", Some("a"), Some("b")),
            (
                "PATCH",
                "/apis/vouch.sh/v1alpha1/namespaces/a/vouchusers/b/status",
                "patch",
                "vouch.sh",
                "vouchusers/status",
                Some("a"),
                Some("b"),
            ),
            ("POST", "/api/v1/namespaces/a/secrets", "create", "", "secrets", Some("a"), None),
            ("GET", "/api/v1/namespaces/a", "get", "", "namespaces", None, Some("a")),
            ("GET", "/apis/monitoring.coreos.com/v1", "get", "monitoring.coreos.com", "discovery", None, None),
            ("GET", "/apis", "get", "", "discovery", None, None),
        ] {
            let request = Request::builder().method(method).uri(uri).body(()).unwrap();
            let owned = |text: Option<&str>| text.map(str::to_owned);
            let expected = Target {
                verb,
                group: group.to_owned(),
                resource: resource.to_owned(),
                namespace: owned(namespace),
                name: owned(name),
            };
            assert_eq!(Target::of(&request), expected, "{method} {uri}");
        }
    }
}
