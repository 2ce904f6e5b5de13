//! The index, kept current by a watch, and what others may wait for.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use kube::{
    api::DynamicObject,
    runtime::watcher::{self, Event},
};
use tokio::sync::watch;
use vouch_crds::names::user_field_selector;

use super::{
    Scope,
    index::{Index, Origin},
    object::{Object, SharedObject},
    objects::{Objects, PAGE},
};
use crate::cluster::{
    Cluster,
    follow::{Following, follow},
};

/// How far the watch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Progress {
    /// A whole list has been read.
    synced: bool,
    /// The highest revision that the watch has shown since.
    revision: u64,
    /// The highest revision in the list that is on its way. It counts once the whole list is there: later pages may hold
    /// what was written earlier.
    listed: u64,
}

/// What a store and its watch share.
#[derive(Debug, Default)]
pub(super) struct State {
    index: RwLock<Index>,
    progress: watch::Sender<Progress>,
    changes: watch::Sender<u64>,
}

/// Begins to follow the objects of `scope`.
pub(super) fn begin(cluster: &Cluster, scope: &Scope, state: Arc<State>) -> Following {
    let config = watcher::Config::default().page_size(PAGE);
    let config = match scope {
        Scope::Everybody => config,
        Scope::Person(email) => config.fields(&user_field_selector(email.as_str())),
    };
    let api = |client| Objects::api(client, &cluster.namespace);
    follow(&cluster.client, api, config, move |event| state.event(event))
}

impl State {
    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn is_synced(&self) -> bool {
        self.progress.borrow().synced
    }

    pub(super) async fn synced(&self) {
        self.until(|progress| progress.synced).await;
    }

    /// Returns when the watch has shown everything up to a revision.
    pub(super) async fn seen(&self, revision: u64) {
        self.until(|progress| progress.revision >= revision).await;
    }

    async fn until(&self, reached: impl Fn(&Progress) -> bool) {
        // The sender lives as long as `self`, so the wait cannot fail.
        let _ = self.progress.subscribe().wait_for(reached).await;
    }

    /// An object that was seen outside the watch. The newest look at it is returned.
    pub(super) fn take(&self, object: Object, origin: Origin) -> SharedObject {
        self.change(|index| index.take(object, origin))
    }

    pub(super) fn forget(&self, name: &str, uid: Option<&str>) {
        self.change(|index| index.forget(name, uid));
    }

    fn event(&self, event: Event<DynamicObject>) {
        match event {
            Event::Init => {
                self.progress.send_modify(|progress| (progress.revision, progress.listed) = (0, 0));
                self.quietly(Index::begin_list);
            }
            Event::InitApply(object) => {
                let revision = revision(&object);
                self.progress.send_modify(|progress| progress.listed = progress.listed.max(revision));
                if let Some(object) = Object::of(object) {
                    self.quietly(|index| index.list(object));
                }
            }
            Event::InitDone => {
                self.change(Index::end_list);
                self.progress.send_modify(|progress| {
                    progress.synced = true;
                    progress.revision = progress.revision.max(progress.listed);
                });
            }
            Event::Apply(object) => {
                let (name, uid) = (object.metadata.name.clone(), object.metadata.uid.clone());
                let revision = revision(&object);
                match Object::of(object) {
                    Some(object) => drop(self.take(object, Origin::Watch)),
                    None => self.forget(&name.unwrap_or_default(), uid.as_deref()),
                }
                self.saw(revision);
            }
            Event::Delete(object) => {
                self.forget(object.metadata.name.as_deref().unwrap_or_default(), object.metadata.uid.as_deref());
                self.saw(revision(&object));
            }
        }
    }

    fn saw(&self, revision: u64) {
        self.progress.send_modify(|progress| progress.revision = progress.revision.max(revision));
    }

    fn quietly<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        change(&mut self.index.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        let outcome = self.quietly(change);
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        outcome
    }
}

fn revision(object: &DynamicObject) -> u64 {
    object.metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt as _;
    use serde_json::json;

    use super::*;

    fn object(name: &str, revision: u64) -> DynamicObject {
        let metadata = json!({"name": name, "resourceVersion": revision.to_string()});
        serde_json::from_value(json!({"metadata": metadata, "spec": {"email": format!("{name}@example.com")}})).unwrap()
    }

    #[test]
    fn a_page_of_a_list_confirms_nothing_before_the_whole_list_is_there() {
        let state = State::default();
        let seen = |revision| state.seen(revision).now_or_never().is_some();
        for _ in 0..2 {
            state.event(Event::Init);
            state.event(Event::InitApply(object("bob", 7)));
            assert!(!seen(7), "alice may have been earlier, on a later page");
            state.event(Event::InitApply(object("alice", 5)));
            assert!(!seen(5));
            state.event(Event::InitDone);
            assert!(seen(7) && !seen(8));
        }
        state.event(Event::Apply(object("carol", 8)));
        assert!(seen(8));
    }
}
