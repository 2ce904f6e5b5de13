//! What people need of a `VouchIssuer`: whose e-mail addresses it takes. The rest is not looked at, so that no issuer that
//! this version cannot read hides the others.

use std::borrow::Cow;

use k8s_openapi::{NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Resource, api::DynamicObject};
use serde::Deserialize;
use serde_json::Value;
use vouch_crds::issuer::VouchIssuer;

/// A `VouchIssuer`, as far as people are concerned.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "DynamicObject")]
pub struct Organization {
    /// Of the `VouchIssuer`.
    pub metadata: ObjectMeta,
    /// `spec.organization.emailDomains`.
    pub email_domains: Vec<String>,
}

impl From<DynamicObject> for Organization {
    fn from(object: DynamicObject) -> Self {
        let domains = object.data.pointer("/spec/organization/emailDomains").and_then(Value::as_array);
        let domains = domains.into_iter().flatten().filter_map(Value::as_str);
        Self { email_domains: domains.map(str::to_owned).collect(), metadata: object.metadata }
    }
}

impl Resource for Organization {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind(dynamic: &()) -> Cow<'_, str> {
        VouchIssuer::kind(dynamic)
    }

    fn group(dynamic: &()) -> Cow<'_, str> {
        VouchIssuer::group(dynamic)
    }

    fn version(dynamic: &()) -> Cow<'_, str> {
        VouchIssuer::version(dynamic)
    }

    fn plural(dynamic: &()) -> Cow<'_, str> {
        VouchIssuer::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
