//! Following objects of the API server, for as long as the process runs and whatever happens to the server.
//!
//! Every request has a bound, so that a server that has taken a connection and says nothing is noticed, and nothing that
//! was read stays in use as if it were current.

use std::{
    fmt::Debug,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt as _;
use http::{Request, Response};
use kube::{
    Api, Client, Resource,
    client::Body,
    runtime::watcher::{self, Event, watcher},
};
use serde::de::DeserializeOwned;
use tokio::{task::AbortHandle, time::timeout};
use tower::BoxError;

use super::fault::{NoAnswer, describe_watch};

/// Between a failure and the next try, at first and at most: when the server is back, people must not wait.
const WAITS: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];
/// After so many failures without an event in between, everything is listed again: a server that was restored from a backup
/// does not know the revision to go on from. Watches that begin well and tell of nothing in between do not count.
const START_AFRESH: u32 = 30;
/// How long the server may take for a page of a list, and to begin a watch.
const ANSWER: Duration = Duration::from_secs(15);
/// Seconds after which the server ends a watch, and a new one goes on from there. When it does not, because there is nobody
/// at the other end any more, that is noticed five seconds later.
const WATCH: u32 = 30;

/// A watch that is going on. It ends when this is dropped.
#[derive(Debug)]
pub struct Following {
    health: Arc<Health>,
    task: AbortHandle,
}

impl Following {
    /// Why nothing can be seen now.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.health.fault()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What fails, from the first failure to the next answer.
#[derive(Debug, Default)]
struct Health(Mutex<Option<String>>);

impl Health {
    fn fault(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server answers. Whether it did not before.
    fn well(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    /// Whether this is another failure than the last one: it is told of once, however often it is tried again.
    fn failed(&self, text: &str) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = last.as_deref() != Some(text);
        *last = Some(text.to_owned());
        news
    }
}

/// Hands every event of the objects that `api` and `config` select to `take`, in order.
pub(crate) fn follow<K>(
    client: &Client,
    api: impl FnOnce(Client) -> Api<K>,
    config: watcher::Config,
    take: impl FnMut(Event<K>) + Send + 'static,
) -> Following
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let health = Arc::<Health>::default();
    let api = api(bounded(client.clone(), Arc::clone(&health)));
    let task = tokio::spawn(run(api, config.timeout(WATCH), Arc::clone(&health), take)).abort_handle();
    Following { health, task }
}

/// A client whose lists are there, and whose watches have begun, within [`ANSWER`]. A watch that has begun is a sign of
/// health, which the events alone would only give with the next change.
fn bounded(client: Client, health: Arc<Health>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, health) = (client.clone(), Arc::clone(&health));
        async move {
            let objects = request.uri().path().to_owned();
            let (answer, watching) = timeout(ANSWER, send(&client, request)).await.map_err(|_| NoAnswer)??;
            if watching {
                well(&health, &objects);
            }
            Ok::<_, BoxError>(answer)
        }
    });
    Client::new(service, namespace)
}

/// The answer, and whether it is a watch. Any other is complete.
async fn send(client: &Client, request: Request<Body>) -> Result<(Response<Body>, bool), kube::Error> {
    let query = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    let watch = query.into_iter().any(|(name, _)| name == "watch");
    let answer = client.send(request).await?;
    if watch && answer.status().is_success() {
        return Ok((answer, true));
    }
    let (head, body) = answer.into_parts();
    Ok((Response::from_parts(head, body.collect_bytes().await?.into()), false))
}

async fn run<K>(api: Api<K>, config: watcher::Config, health: Arc<Health>, mut take: impl FnMut(Event<K>))
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    loop {
        let mut events = pin!(watcher(api.clone(), config.clone()));
        let mut failures = 0;
        while failures < START_AFRESH {
            match events.next().await {
                // It says that a list is to be asked for, not that one has come.
                Some(Ok(event @ Event::Init)) => take(event),
                Some(Ok(event)) => {
                    well(&health, api.resource_url());
                    failures = 0;
                    take(event);
                }
                Some(Err(error)) => {
                    let text = describe_watch(&error);
                    if health.failed(&text) {
                        tracing::warn!(objects = api.resource_url(), error = text, "cannot be followed; trying again");
                    }
                    tokio::time::sleep(wait_after(failures)).await;
                    failures += 1;
                }
                None => break,
            }
        }
    }
}

fn well(health: &Health, objects: &str) {
    if health.well() {
        tracing::info!(objects, "the API server can be reached again");
    }
}

fn wait_after(failures: u32) -> Duration {
    let wait = usize::try_from(failures).ok().and_then(|failures| WAITS.get(failures));
    wait.or(WAITS.last()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::Health;

    #[test]
    fn a_failure_is_told_of_once_however_often_it_is_tried_again_and_so_is_its_end() {
        let health = Health::default();
        assert!(!health.well(), "nothing has failed");
        let away = "the API server cannot be reached";
        let news: Vec<bool> = (0..100).map(|_| health.failed(away)).collect();
        assert_eq!(news.iter().filter(|news| **news).count(), 1);
        assert_eq!(health.fault().as_deref(), Some(away));
        assert!(health.failed("forbidden"), "another failure");
        assert!(health.well(), "its end");
        assert!(!health.well());
        assert_eq!(health.fault(), None);
    }
}
