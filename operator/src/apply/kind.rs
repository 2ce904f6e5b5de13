//! The kinds of objects that the operator makes for an issuer.

use std::fmt;

use kube::{
    api::ApiResource,
    core::{GroupVersion, GroupVersionKind},
};

/// A kind of object, in the order in which they are applied: what pods need stands before the pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Who the pods are.
    ServiceAccount,
    /// What they may do.
    Role,
    /// That they may do it.
    RoleBinding,
    /// Who may connect to them.
    NetworkPolicy,
    /// Their certificate, by cert-manager.
    Certificate,
    /// How they are found.
    Service,
    /// How many may be away at a time.
    PodDisruptionBudget,
    /// The pods.
    Deployment,
    /// How many there are.
    HorizontalPodAutoscaler,
    /// How people reach them.
    Ingress,
    /// How people reach them, by Gateway API.
    HttpRoute,
    /// How Prometheus finds them.
    ServiceMonitor,
}

impl Kind {
    /// Every kind, in the order in which they are applied.
    pub const ALL: [Self; 12] = [
        Self::ServiceAccount,
        Self::Role,
        Self::RoleBinding,
        Self::NetworkPolicy,
        Self::Certificate,
        Self::Service,
        Self::PodDisruptionBudget,
        Self::Deployment,
        Self::HorizontalPodAutoscaler,
        Self::Ingress,
        Self::HttpRoute,
        Self::ServiceMonitor,
    ];

    /// Kinds of APIs that a cluster may lack.
    pub const OPTIONAL: [Self; 3] = [Self::Certificate, Self::HttpRoute, Self::ServiceMonitor];

    const fn identity(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::ServiceAccount => ("", "v1", "ServiceAccount", "serviceaccounts"),
            Self::Role => ("rbac.authorization.k8s.io", "v1", "Role", "roles"),
            Self::RoleBinding => ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
            Self::NetworkPolicy => ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
            Self::Certificate => ("cert-manager.io", "v1", "Certificate", "certificates"),
            Self::Service => ("", "v1", "Service", "services"),
            Self::PodDisruptionBudget => ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
            Self::Deployment => ("apps", "v1", "Deployment", "deployments"),
            Self::HorizontalPodAutoscaler => {
                ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
            }
            Self::Ingress => ("networking.k8s.io", "v1", "Ingress", "ingresses"),
            Self::HttpRoute => ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
            Self::ServiceMonitor => ("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"),
        }
    }

    /// `Deployment`, for example.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.identity().2
    }

    /// Whether a cluster may lack it.
    #[must_use]
    pub fn is_optional(self) -> bool {
        Self::OPTIONAL.contains(&self)
    }

    /// The group and version that serve it.
    #[must_use]
    pub fn group_version(self) -> GroupVersion {
        let (group, version, ..) = self.identity();
        GroupVersion::gv(group, version)
    }

    /// As a client addresses it.
    #[must_use]
    pub fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = self.identity();
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
