//! Following objects of the API server, for as long as the process runs and whatever happens to the server.

use std::{
    fmt::Debug,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event, watcher},
};
use serde::de::DeserializeOwned;
use tokio::task::AbortHandle;

use super::fault::describe_watch;

/// Between a failure and the next try, at first and at most: when the server is back, people must not wait.
const WAITS: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];
/// After so many failures in a row everything is listed again: a server that was restored from a backup does not know the
/// revision to go on from.
const START_AFRESH: u32 = 30;
/// A failure is over when nothing has failed for so long: every try that fails, fails sooner.
const OVER: Duration = Duration::from_secs(10);

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

/// The last failure, while it is not over.
#[derive(Debug, Default)]
struct Health(Mutex<Option<(Instant, String)>>);

impl Health {
    fn fault(&self) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < OVER).map(|(_, text)| text.clone())
    }

    fn well(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn failed(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), text));
    }
}

/// The failure that was told of last, while it is not over: it is told of once, however often it is tried again.
#[derive(Debug, Default)]
struct Told(Option<String>);

impl Told {
    /// Whether a failure, or that there is none, has not been told of.
    fn is_news(&mut self, failure: Option<&str>) -> bool {
        let news = self.0.as_deref() != failure;
        if news {
            self.0 = failure.map(ToOwned::to_owned);
        }
        news
    }
}

/// Hands every event of the objects that `config` selects to `take`, in order.
pub(crate) fn follow<K>(api: Api<K>, config: watcher::Config, take: impl FnMut(Event<K>) + Send + 'static) -> Following
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let health = Arc::<Health>::default();
    let task = tokio::spawn(run(api, config, Arc::clone(&health), take)).abort_handle();
    Following { health, task }
}

async fn run<K>(api: Api<K>, config: watcher::Config, health: Arc<Health>, mut take: impl FnMut(Event<K>))
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut told = Told::default();
    loop {
        let mut events = pin!(watcher(api.clone(), config.clone()));
        let mut failures = 0;
        while failures < START_AFRESH {
            match events.next().await {
                // It says that a list is to be asked for, not that one has come.
                Some(Ok(event @ Event::Init)) => take(event),
                Some(Ok(event)) => {
                    if told.is_news(None) {
                        tracing::info!(objects = api.resource_url(), "the API server can be reached again");
                    }
                    failures = 0;
                    health.well();
                    take(event);
                }
                Some(Err(error)) => {
                    let text = describe_watch(&error);
                    if told.is_news(Some(&text)) {
                        tracing::warn!(objects = api.resource_url(), error = text, "cannot be followed; trying again");
                    }
                    health.failed(text);
                    tokio::time::sleep(wait_after(failures)).await;
                    failures += 1;
                }
                None => break,
            }
        }
    }
}

fn wait_after(failures: u32) -> Duration {
    let wait = usize::try_from(failures).ok().and_then(|failures| WAITS.get(failures));
    wait.or(WAITS.last()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::Told;

    #[test]
    fn a_failure_is_told_of_once_however_often_it_is_tried_again_and_so_is_its_end() {
        let mut told = Told::default();
        assert!(!told.is_news(None), "nothing has failed");
        let away = Some("the API server cannot be reached");
        let news: Vec<bool> = (0..100).map(|_| told.is_news(away)).collect();
        assert_eq!(news.iter().filter(|news| **news).count(), 1);
        assert!(told.is_news(Some("forbidden")), "another failure");
        assert!(told.is_news(None), "its end");
        assert!(!told.is_news(None));
    }
}
