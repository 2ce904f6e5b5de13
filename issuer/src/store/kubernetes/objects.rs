//! The requests to the API server, each with a bound on its time. Nothing is tried again in here.

use std::{future::Future, time::Duration};

use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::{Value, json};
use vouch_crds::{names::user_field_selector, user::VouchUser};
use vouch_iam::identity::EmailAddress;

use super::{fault::ClusterFault, object::Object, record};
use crate::{cluster::Cluster, store::record::UserRecord};

/// How long a person waits for one answer of the API server.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a page of a list may take.
const LIST_PATIENCE: Duration = Duration::from_secs(30);
/// Objects in one page of a list.
pub(super) const PAGE: u32 = 500;

/// What came of a write.
#[derive(Debug)]
pub(super) enum Wrote {
    /// The object as it is now.
    Object(Box<Object>),
    /// Somebody was faster.
    Conflict,
    /// It does not exist any more.
    Gone,
}

/// What came of a creation.
#[derive(Debug)]
pub(super) enum Created {
    /// The object.
    Object(Box<Object>),
    /// One of that name is there; this one, unless it has just gone.
    Exists(Option<Box<Object>>),
}

/// The `VouchUser` objects of a namespace.
#[derive(Clone)]
pub(super) struct Objects(Api<DynamicObject>);

impl Objects {
    pub(super) fn new(cluster: &Cluster) -> Self {
        Self(Self::api(cluster.client.clone(), &cluster.namespace))
    }

    /// All of them, by way of `client`.
    pub(super) fn api(client: Client, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(client, namespace, &ApiResource::erase::<VouchUser>(&()))
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Object>, ClusterFault> {
        const WHAT: &str = "a VouchUser cannot be read";
        let object = within(PATIENCE, WHAT, self.0.get_opt(name)).await?.map_err(|error| failed(WHAT, error))?;
        Ok(object.and_then(Object::of))
    }

    pub(super) async fn with_email(&self, email: &EmailAddress) -> Result<Vec<Object>, ClusterFault> {
        self.list(&ListParams::default().fields(&user_field_selector(email.as_str()))).await
    }

    pub(super) async fn everybody(&self) -> Result<Vec<Object>, ClusterFault> {
        self.list(&ListParams::default()).await
    }

    async fn list(&self, selection: &ListParams) -> Result<Vec<Object>, ClusterFault> {
        const WHAT: &str = "the VouchUsers cannot be listed";
        let (mut objects, mut page) = (Vec::new(), selection.clone().limit(PAGE));
        loop {
            let answer = within(LIST_PATIENCE, WHAT, self.0.list(&page)).await?;
            let answer = answer.map_err(|error| failed(WHAT, error))?;
            objects.extend(answer.items.into_iter().filter_map(Object::of));
            match answer.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(objects),
            }
        }
    }

    pub(super) async fn create(&self, user: &UserRecord) -> Result<Created, ClusterFault> {
        const WHAT: &str = "the VouchUser cannot be made";
        let object: DynamicObject = serde_json::from_value(record::new_object(user))?;
        let made = within(PATIENCE, WHAT, self.0.create(&PostParams::default(), &object)).await?;
        match made {
            Ok(object) => {
                Object::of(object).map(|object| Created::Object(Box::new(object))).ok_or_else(|| unusable(WHAT))
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let name = object.metadata.name.unwrap_or_default();
                Ok(Created::Exists(self.get(&name).await?.map(Box::new)))
            }
            Err(error) => Err(failed(WHAT, error)),
        }
    }

    /// Compare-and-swap of groups and `disabled`.
    pub(super) async fn write_spec(&self, name: &str, version: &str, user: &UserRecord) -> Result<Wrote, ClusterFault> {
        const WHAT: &str = "the VouchUser cannot be changed";
        let patch = json!({"metadata": {"resourceVersion": version}, "spec": record::spec(user)});
        let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
        wrote(WHAT, within(PATIENCE, WHAT, self.0.patch(name, &params, &patch)).await?)
    }

    /// Compare-and-swap of everything in the status but the operator's part.
    pub(super) async fn write_status(&self, name: &str, version: &str, status: Value) -> Result<Wrote, ClusterFault> {
        const WHAT: &str = "the status of the VouchUser cannot be written";
        let patch = json!({"metadata": {"resourceVersion": version}, "status": status});
        let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
        wrote(WHAT, within(PATIENCE, WHAT, self.0.patch_status(name, &params, &patch)).await?)
    }

    /// Deletes exactly this object.
    pub(super) async fn delete(&self, object: &Object) -> Result<(), ClusterFault> {
        const WHAT: &str = "the VouchUser cannot be deleted";
        let exactly = Preconditions { uid: Some(object.uid.to_string()), ..Preconditions::default() };
        let params = DeleteParams::default().preconditions(exactly);
        match within(PATIENCE, WHAT, self.0.delete(&object.name, &params)).await? {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => Err(failed(WHAT, error)),
            Ok(_) => Ok(()),
        }
    }
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Objects").field(&self.0.resource_url()).finish()
    }
}

async fn within<T>(
    patience: Duration,
    what: &'static str,
    request: impl Future<Output = T> + Send,
) -> Result<T, ClusterFault> {
    tokio::time::timeout(patience, request).await.map_err(|_| ClusterFault::NoAnswer(what))
}

fn wrote(what: &'static str, answer: Result<DynamicObject, kube::Error>) -> Result<Wrote, ClusterFault> {
    match answer {
        Ok(object) => Ok(Object::of(object).map_or(Wrote::Gone, |object| Wrote::Object(Box::new(object)))),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Wrote::Conflict),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Wrote::Gone),
        Err(error) => Err(failed(what, error)),
    }
}

fn failed(what: &'static str, source: kube::Error) -> ClusterFault {
    ClusterFault::Api { what, source: Box::new(source) }
}

fn unusable(what: &'static str) -> ClusterFault {
    ClusterFault::NoAnswer(what)
}
