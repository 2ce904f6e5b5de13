//! Objects as the API server has them, readable or not.
//!
//! A watch of a typed kind fails as a whole when one object cannot be decoded, and one value that a later version has
//! written is enough for that after a downgrade: one object would hide all the others. Here it is one object among others,
//! and its condition says what is wrong with it.

use std::{borrow::Cow, future::Future, sync::Arc};

use k8s_openapi::{
    NamespaceResourceScope,
    apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta},
};
use kube::{Resource, runtime::controller::Action};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;
use vouch_crds::names::condition;

use crate::{
    context::Context,
    controllers::KindName,
    reason::Reason,
    status::{self, Finding, StatusError, merge, turned},
};

/// What the operator does about an object that it cannot read.
pub const LET_BE: &str = "leaves it alone";

/// An object of a kind, readable or not.
#[derive(Debug, Clone)]
pub enum Tolerant<K> {
    /// It is one of the kind.
    Readable(Arc<K>),
    /// It is not, for this version of the program.
    Unreadable(Box<Unreadable>),
}

/// An object that cannot be read as what it should be.
#[derive(Debug, Clone)]
pub struct Unreadable {
    metadata: ObjectMeta,
    /// Where, and what is wrong.
    why: String,
    spec: Value,
    status: Value,
}

impl Unreadable {
    /// What is declared, as something that takes less to be read.
    ///
    /// # Errors
    /// When it cannot be read as that either.
    pub fn spec<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.spec)
    }

    /// What was reported, as something that takes less to be read. Nothing was when the object is new.
    ///
    /// # Errors
    /// When it cannot be read as that either.
    pub fn status<T: DeserializeOwned + Default>(&self) -> Result<T, serde_json::Error> {
        if self.status.is_null() { Ok(T::default()) } else { T::deserialize(&self.status) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Where, and what is wrong.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// That it is unreadable, what the operator does about it, and why.
    #[must_use]
    pub fn finding(&self, treatment: &str) -> Finding {
        let why = &self.why;
        let message = format!("This version of the operator cannot read the object, and {treatment}: {why}.");
        Finding::new(condition::READY, false, Reason::Invalid, message)
    }
}

/// The members that the status of every kind has.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Reported {
    conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_generation: Option<i64>,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Tolerant<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = Value::deserialize(deserializer)?;
        match K::deserialize(&object) {
            Ok(readable) => Ok(Self::Readable(Arc::new(readable))),
            Err(error) => {
                let mut member = |name: &str| object.get_mut(name).map(Value::take).unwrap_or_default();
                let metadata = serde_json::from_value(member("metadata")).map_err(serde::de::Error::custom)?;
                let (spec, status) = (member("spec"), member("status"));
                Ok(Self::Unreadable(Box::new(Unreadable { metadata, why: error.to_string(), spec, status })))
            }
        }
    }
}

impl<K: Resource<DynamicType = ()>> Resource for Tolerant<K>
where
    K: Clone,
{
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind(dynamic: &()) -> Cow<'_, str> {
        K::kind(dynamic)
    }

    fn group(dynamic: &()) -> Cow<'_, str> {
        K::group(dynamic)
    }

    fn version(dynamic: &()) -> Cow<'_, str> {
        K::version(dynamic)
    }

    fn plural(dynamic: &()) -> Cow<'_, str> {
        K::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Readable(object) => object.meta(),
            Self::Unreadable(object) => &object.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Readable(object) => Arc::make_mut(object).meta_mut(),
            Self::Unreadable(object) => &mut object.metadata,
        }
    }
}

impl<K: KindName> KindName for Tolerant<K> {
    const KIND: &'static str = K::KIND;
}

/// One pass over an object: `reconcile`, or a condition that says why the object cannot be read.
///
/// # Errors
/// Those of `reconcile`, or when the condition cannot be written.
pub async fn reconcile<K, F, E>(
    object: Arc<Tolerant<K>>,
    context: Arc<Context>,
    reconcile: impl FnOnce(Arc<K>, Arc<Context>) -> F,
) -> Result<Action, E>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + std::fmt::Debug,
    F: Future<Output = Result<Action, E>>,
    E: From<StatusError>,
{
    match &*object {
        Tolerant::Readable(readable) => reconcile(Arc::clone(readable), context).await,
        Tolerant::Unreadable(unreadable) => {
            report(&context, &*object, unreadable, &[unreadable.finding(LET_BE)]).await?;
            Ok(Action::await_change())
        }
    }
}

/// Says in conditions, and of `Ready` in an event, what is found of an object that is unreadable, whatever its status is.
///
/// # Errors
/// When the condition cannot be written.
pub async fn report<K>(
    context: &Context,
    object: &Tolerant<K>,
    unreadable: &Unreadable,
    findings: &[Finding],
) -> Result<(), StatusError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + std::fmt::Debug,
{
    let reported: &Reported = &unreadable.status().unwrap_or_default();
    let generation = unreadable.metadata.generation;
    let next = Reported {
        conditions: merge(&reported.conditions, findings, generation, (context.now)()),
        observed_generation: generation,
    };
    let written = status::write(&context.held, object, Some(reported), &next).await?;
    let ready = findings.iter().find(|finding| finding.kind == condition::READY);
    if let Some(ready) = ready.filter(|ready| written && turned(&reported.conditions, ready)) {
        context.events.tell(object, ready.reason, "Reconcile", &ready.message).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use jiff::Timestamp;
    use kube::{Api, api::ListParams};
    use serde_json::json;
    use tokio::sync::watch;
    use vouch_crds::issuer::VouchIssuer;

    use super::*;
    use crate::{issuer, testing::ApiServer};

    const ISSUERS: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchissuers";

    fn object(name: &str, kind_of_service: &str) -> Value {
        json!({
            "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer",
            "metadata": {"name": name, "namespace": "vouch", "uid": name, "generation": 3},
            "spec": {
                "url": "https://vouch.example.com",
                "organization": {"name": "Example", "emailDomains": ["example.com"]},
                "exposure": {"service": {"type": kind_of_service}},
            },
        })
    }

    #[tokio::test]
    async fn one_object_of_a_later_version_hides_no_other_and_is_told_of() {
        let server = ApiServer::default();
        let context = server.context(&watch::Sender::default(), || Timestamp::from_second(1_800_000_000).unwrap());
        server.put(&format!("{ISSUERS}/later"), object("later", "CarrierPigeon"));
        server.put(&format!("{ISSUERS}/login"), object("login", "ClusterIP"));
        let api: Api<Tolerant<VouchIssuer>> = Api::namespaced(context.reader.clone(), "vouch");
        let found = api.list(&ListParams::default()).await.unwrap().items;
        assert!(matches!(&found[..], [Tolerant::Unreadable(_), Tolerant::Readable(_)]), "{found:?}");

        let later = Arc::new(found[0].clone());
        let done = issuer::reconcile_or_tell(later, Arc::clone(&context)).await.unwrap();
        assert_ne!(done, Action::await_change(), "its deletion may be missed");
        let status = server.get(&format!("{ISSUERS}/later")).unwrap()["status"].clone();
        assert_eq!(status["conditions"][0]["reason"], "Invalid");
        assert_eq!(status["observedGeneration"], 3);
        let message = status["conditions"][0]["message"].as_str().unwrap();
        assert!(message.contains("unknown variant `CarrierPigeon`"), "{message}");
        let metrics = context.metrics.render().unwrap();
        assert!(metrics.contains(r#"issuer_ready{namespace="vouch",issuer="later"} 0"#), "{metrics}");
        let again = api.get("later").await.unwrap();
        server.calls();
        issuer::reconcile_or_tell(Arc::new(again), Arc::clone(&context)).await.unwrap();
        assert_eq!(server.writes(), Vec::<String>::new());
    }
}
