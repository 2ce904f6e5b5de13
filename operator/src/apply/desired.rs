//! What an object should be.

use aws_lc_rs::digest;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::{Map, Value, json};
use vouch_crds::{
    API_VERSION,
    names::{self, annotation, label},
};

use super::Kind;

/// The `VouchIssuer` that objects belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID: one that is made again is another.
    pub uid: String,
}

impl Owner {
    /// A `VouchIssuer`, by its metadata.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            name: metadata.name.clone().unwrap_or_default(),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
        }
    }

    /// The labels by which its pods are found. They never change: a Deployment's selector cannot.
    #[must_use]
    pub fn selector(&self) -> [(&'static str, String); 2] {
        [(label::NAME, label::APPLICATION.to_owned()), (label::INSTANCE, self.name.clone())]
    }

    /// The labels of everything that belongs to it.
    #[must_use]
    pub fn labels(&self) -> Vec<(&'static str, String)> {
        let [name, instance] = self.selector();
        vec![
            name,
            instance,
            (label::MANAGED_BY, names::OPERATOR.to_owned()),
            (label::PART_OF, label::PRODUCT.to_owned()),
            (label::VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        ]
    }

    fn reference(&self) -> Value {
        json!({
            "apiVersion": API_VERSION,
            "kind": "VouchIssuer",
            "name": self.name,
            "uid": self.uid,
            "controller": true,
            "blockOwnerDeletion": true,
        })
    }
}

/// An object as it should be, complete with its owner, labels and digest.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    kind: Kind,
    name: String,
    body: Value,
}

impl Desired {
    /// An object of `owner`. `object` has what is particular to it; of its metadata, labels and annotations are kept.
    ///
    /// # Errors
    /// When the object is not one that JSON can carry.
    pub fn new(owner: &Owner, kind: Kind, name: &str, object: &impl Serialize) -> Result<Self, serde_json::Error> {
        let mut body = without_nulls(serde_json::to_value(object)?);
        let own = |body: &Value, member: &str| {
            body.pointer(&format!("/metadata/{member}")).and_then(Value::as_object).cloned().unwrap_or_default()
        };
        let mut labels = own(&body, "labels");
        labels.extend(owner.labels().into_iter().map(|(key, value)| (key.to_owned(), Value::String(value))));
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), Value::String(name.to_owned()));
        metadata.insert("namespace".to_owned(), Value::String(owner.namespace.clone()));
        metadata.insert("labels".to_owned(), Value::Object(labels));
        metadata.insert("annotations".to_owned(), Value::Object(own(&body, "annotations")));
        metadata.insert("ownerReferences".to_owned(), json!([owner.reference()]));
        let resource = kind.resource();
        if let Some(members) = body.as_object_mut() {
            members.remove("status");
            members.insert("apiVersion".to_owned(), Value::String(resource.api_version));
            members.insert("kind".to_owned(), Value::String(resource.kind));
            members.insert("metadata".to_owned(), Value::Object(metadata));
        }
        let digest = digest_of(&body)?;
        if let Some(annotations) = body.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            annotations.insert(annotation::APPLIED.to_owned(), Value::String(digest));
        }
        Ok(Self { kind, name: name.to_owned(), body })
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole object, as it is applied.
    #[must_use]
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// The digest of what is applied, which the object carries.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.body.pointer("/metadata/annotations")?.get(annotation::APPLIED)?.as_str()
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let present = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(present.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// The first 128 bits of a SHA-256, as hexadecimal digits.
fn digest_of(body: &Value) -> Result<String, serde_json::Error> {
    let hash = digest::digest(&digest::SHA256, &serde_json::to_vec(body)?);
    Ok(hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}
