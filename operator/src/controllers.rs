//! One controller for each kind, wired to the watches that wake it.

use std::{future::Future, sync::Arc, time::Instant};

use futures::{Stream, StreamExt as _, channel::mpsc};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Resource,
    api::ApiResource,
    core::{DynamicObject, DynamicResourceScope, NamespaceResourceScope, PartialObjectMeta},
    runtime::{
        Controller, WatchStreamExt as _,
        controller::{self, Action},
        reflector::ObjectRef,
        watcher,
    },
};
use tokio::task::JoinHandle;
use vouch_crds::{
    client::OidcClient,
    federation::AwsFederation,
    issuer::VouchIssuer,
    names::{self, label},
};

use crate::{
    apply::Kind,
    clients,
    context::Context,
    failure::{self, Category},
    issuer, keys, people,
    tolerant::Tolerant,
};

/// Events of an object that come this close together wake its controller once.
const DEBOUNCE: std::time::Duration = std::time::Duration::from_millis(100);

/// What a set of controllers covers.
#[derive(Debug, Clone)]
pub struct Watched {
    /// One namespace, or all (`None`).
    pub namespace: Option<String>,
    /// How many objects of a kind are worked on at once.
    pub concurrency: u16,
}

impl Watched {
    /// The objects of a kind that are covered.
    #[must_use]
    pub fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        }
    }

    fn owned<K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>>(
        &self,
        client: &Client,
        kind: Kind,
    ) -> Api<K> {
        self.objects(client, &kind.resource())
    }

    fn objects<K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>>(
        &self,
        client: &Client,
        kind: &ApiResource,
    ) -> Api<K> {
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, kind),
            None => Api::all_with(client.clone(), kind),
        }
    }

    pub(crate) fn config(&self) -> controller::Config {
        controller::Config::default().concurrency(self.concurrency).debounce(DEBOUNCE)
    }
}

/// Runs every controller until `stop` ends; then objects in work are finished.
pub async fn run(context: Arc<Context>, watched: Watched, stop: impl Future<Output = ()> + Send + Sync + 'static) {
    let stop = futures::FutureExt::shared(stop);
    let people = people::run(Arc::clone(&context), watched.clone(), stop.clone());
    let clients = clients::run(Arc::clone(&context), watched.clone(), stop.clone());
    futures::join!(issuers(&context, &watched, stop), people, clients);
}

async fn issuers(context: &Arc<Context>, watched: &Watched, stop: impl Future<Output = ()> + Send + Sync + 'static) {
    let reader = &context.reader;
    let mut controller = Controller::new(watched.api::<Tolerant<VouchIssuer>>(reader), watcher::Config::default())
        .with_config(watched.config());
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_optional()) {
        controller = controller.owns_with(watched.owned::<DynamicObject>(reader, kind), kind.resource(), ours());
    }
    let secrets = watched.api::<PartialObjectMeta<Secret>>(reader);
    controller = controller.watches(secrets, ours(), |secret| keys::issuer_of(&secret));
    for kind in [ApiResource::erase::<AwsFederation>(&()), ApiResource::erase::<OidcClient>(&())] {
        let objects = watched.objects(reader, &kind);
        controller = controller.watches_with(objects, kind, watcher::Config::default(), |object| configured(&object));
    }
    let (wake, woken) = mpsc::channel(1);
    let optional = tokio::spawn(follow_optional(Arc::clone(context), watched.clone(), wake));
    let passes = controller.reconcile_all_on(woken).graceful_shutdown_on(stop).run(
        |object, context| pass(object, context, issuer::reconcile_or_tell, issuer::ReconcileError::category),
        |_, failed, context| retry(failed, &context),
        Arc::clone(context),
    );
    drain(passes, context, |namespace, name| context.metrics.forget(namespace, name)).await;
    optional.abort();
}

/// The issuer that an object configures.
fn configured(object: &DynamicObject) -> Option<ObjectRef<Tolerant<VouchIssuer>>> {
    Some(ObjectRef::new(issuer::gather::issuer_of(object)?).within(object.metadata.namespace.as_deref()?))
}

/// Objects that carry the labels of the operator: a metadata-only watch of those costs little in the largest cluster.
fn ours() -> watcher::Config {
    let selector = format!("{}={},{}={}", label::MANAGED_BY, names::OPERATOR, label::NAME, label::APPLICATION);
    watcher::Config::default().labels(&selector)
}

/// Watches optional kinds while the cluster serves them, and wakes every issuer when one of their objects, or what the
/// cluster serves, changes.
async fn follow_optional(context: Arc<Context>, watched: Watched, wake: mpsc::Sender<()>) {
    let mut apis = context.apis.clone();
    let mut watches: Vec<(Kind, JoinHandle<()>)> = Vec::new();
    loop {
        let served = apis.borrow_and_update().clone();
        watches.retain(|(kind, watch)| {
            let keep = served.serves(*kind) && !watch.is_finished();
            if !keep {
                watch.abort();
            }
            keep
        });
        for kind in Kind::OPTIONAL {
            if served.serves(kind) && !watches.iter().any(|(watched, _)| *watched == kind) {
                let objects = watched.owned(&context.reader, kind);
                watches.push((kind, tokio::spawn(wake_on_touch(objects, wake.clone()))));
            }
        }
        let _full = wake.clone().try_send(());
        if apis.changed().await.is_err() {
            return;
        }
    }
}

async fn wake_on_touch(objects: Api<PartialObjectMeta<DynamicObject>>, mut wake: mpsc::Sender<()>) {
    let mut touched = Box::pin(watcher(objects, ours()).default_backoff().touched_objects());
    while let Some(event) = touched.next().await {
        if event.is_ok() {
            // A channel that is full holds a wake-up already.
            let _full = wake.try_send(());
        }
    }
}

/// A failure of a pass, with its category.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failed {
    text: String,
    category: Category,
    object: (&'static str, String, String),
}

/// One pass, measured and logged. Every controller's passes go through here.
///
/// # Errors
/// When the pass fails.
pub async fn pass<K, F, E>(
    object: Arc<K>,
    context: Arc<Context>,
    reconcile: impl FnOnce(Arc<K>, Arc<Context>) -> F,
    category: fn(&E) -> Category,
) -> Result<Action, Failed>
where
    K: Resource<DynamicType = ()> + KindName,
    F: Future<Output = Result<Action, E>>,
    E: std::error::Error + 'static,
{
    let metadata = object.meta();
    let key = (K::KIND, metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default());
    let started = Instant::now();
    let outcome = reconcile(object, Arc::clone(&context)).await;
    let word = outcome.as_ref().map_or_else(|error| category(error).as_str(), |_| "Done");
    context.metrics.reconciled(K::KIND, word, started.elapsed());
    match outcome {
        Ok(action) => {
            context.retries.succeeded(&key);
            Ok(action)
        }
        Err(error) => Err(Failed { text: failure::chain(&error), category: category(&error), object: key }),
    }
}

/// When to try again.
pub(crate) fn retry(failed: &Failed, context: &Context) -> Action {
    let (kind, namespace, name) = &failed.object;
    let wait = context.retries.failed(failed.object.clone(), failed.category, (context.jitter)());
    match failed.category {
        Category::Conflict => tracing::debug!(kind, namespace, name, "{failed}"),
        Category::Transient if context.outage.is_on() => tracing::debug!(kind, namespace, name, ?wait, "{failed}"),
        category => tracing::warn!(kind, namespace, name, category = category.as_str(), ?wait, "{failed}"),
    }
    Action::requeue(wait)
}

/// A kind's name, for metrics and logs.
pub trait KindName {
    /// `VouchIssuer`, for example.
    const KIND: &'static str;
}

impl KindName for VouchIssuer {
    const KIND: &'static str = "VouchIssuer";
}

/// Whether a watch has lost its connection or its place in history, which all do now and then. An API server that is away is
/// told of once, by [`crate::api::outage`]; one that answers without its database says 500, which is the same outage.
fn has_only_ended(error: &watcher::Error, is_away: bool) -> bool {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => {
            failure::is_outage(error) || matches!(error, kube::Error::Api(status) if is_away && status.code == 500)
        }
        watcher::Error::WatchError(status) => {
            status.code == 410 || failure::is_from_a_gateway(status.code) || (is_away && status.code == 500)
        }
        watcher::Error::NoResourceVersion => false,
    }
}

/// Drives a controller. Failures of passes have been logged; what is left are those of watches, and objects that were
/// gone when their turn came: nothing is remembered of those.
pub(crate) async fn drain<K: Resource<DynamicType = ()> + KindName>(
    passes: impl Stream<Item = Result<(ObjectRef<K>, Action), controller::Error<Failed, watcher::Error>>>,
    context: &Context,
    gone: impl Fn(&str, &str),
) {
    let mut passes = Box::pin(passes);
    while let Some(outcome) = passes.next().await {
        match outcome {
            Err(controller::Error::QueueError(error)) if has_only_ended(&error, context.outage.is_on()) => {
                tracing::debug!("a watch ended and begins anew: {}", failure::chain(&error));
            }
            Err(controller::Error::QueueError(error)) => {
                tracing::warn!("a watch failed and begins anew: {}", failure::chain(&error));
            }
            Err(controller::Error::ObjectNotFound(object)) => {
                let namespace = object.namespace.unwrap_or_default();
                gone(&namespace, &object.name);
                context.retries.succeeded(&(K::KIND, namespace, object.name));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use std::time::Duration;

    use futures::stream;
    use jiff::Timestamp;
    use kube::core::Status;
    use serde_json::json;

    use super::*;
    use crate::testing::ApiServer;

    #[tokio::test(start_paused = true)]
    async fn an_issuer_whose_deletion_no_watch_has_shown_is_forgotten() {
        const ISSUER: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchissuers/login";
        let server = ApiServer::default();
        let context = server.context(&tokio::sync::watch::Sender::default(), Timestamp::now);
        server.put(
            ISSUER,
            json!({
                "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer", "metadata": {"name": "login", "namespace": "vouch"},
                "spec": {
                    "url": "https://vouch.example.com",
                    "organization": {"name": "Example", "emailDomains": ["example.com"]},
                    "paused": true,
                },
            }),
        );
        let watched = Watched { namespace: Some("vouch".to_owned()), concurrency: 1 };
        let controllers = tokio::spawn({
            let context = Arc::clone(&context);
            async move { issuers(&context, &watched, std::future::pending()).await }
        });
        let is_shown = || context.metrics.render().unwrap().contains(r#"issuer="login""#);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(is_shown());
        server.remove(ISSUER);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(!is_shown());
        controllers.abort();
    }

    #[test]
    fn an_internal_error_is_told_of_unless_an_outage_is_told_of_already() {
        let status =
            || Box::new(Status { code: 500, message: "etcdserver: leader changed".into(), ..Status::default() });
        for error in
            [watcher::Error::WatchError(status()), watcher::Error::InitialListFailed(kube::Error::Api(status()))]
        {
            assert!(has_only_ended(&error, true) && !has_only_ended(&error, false), "{error}");
        }
    }

    #[tokio::test]
    async fn nothing_is_remembered_of_an_object_that_is_gone() {
        let context = ApiServer::default().context(&tokio::sync::watch::Sender::default(), Timestamp::now);
        let failed = |name: &str| {
            let object = (VouchIssuer::KIND, "vouch".to_owned(), name.to_owned());
            context.retries.failed(object, Category::Transient, 0.0)
        };
        for name in ["gone", "there"] {
            failed(name);
        }
        let gone = Box::new(ObjectRef::<VouchIssuer>::new("gone").within("vouch").erase());
        let passes = stream::iter([Err(controller::Error::ObjectNotFound(gone))]);
        drain::<VouchIssuer>(passes, &context, |_, _| {}).await;
        assert_eq!(failed("gone"), Duration::from_secs(1));
        assert_eq!(failed("there"), Duration::from_secs(2));
    }
}
