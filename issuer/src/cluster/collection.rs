//! A handful of objects, kept in memory as they are in the cluster.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use arc_swap::ArcSwap;
use kube::{
    Api, Client, Resource, ResourceExt as _,
    runtime::watcher::{self, Event},
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::follow::{Following, follow};

/// What is known of a collection.
#[derive(Debug)]
pub struct Seen<K> {
    /// A whole list has been read.
    pub synced: bool,
    /// By name.
    pub objects: BTreeMap<String, Arc<K>>,
}

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self { synced: false, objects: BTreeMap::new() }
    }
}

impl<K> Clone for Seen<K> {
    fn clone(&self) -> Self {
        Self { synced: self.synced, objects: self.objects.clone() }
    }
}

/// Objects of one kind.
#[derive(Debug)]
pub struct Collection<K> {
    seen: Arc<ArcSwap<Seen<K>>>,
    changes: watch::Receiver<u64>,
    following: Following,
}

impl<K> Collection<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    /// The object of a name, if there is one. A role that names the object allows it.
    #[must_use]
    pub fn one(client: &Client, api: impl FnOnce(Client) -> Api<K>, name: &str) -> Self {
        Self::follow(client, api, watcher::Config::default().fields(&format!("metadata.name={name}")))
    }

    /// The objects that `api` and `config` select.
    #[must_use]
    pub fn follow(client: &Client, api: impl FnOnce(Client) -> Api<K>, config: watcher::Config) -> Self {
        let seen = Arc::<ArcSwap<Seen<K>>>::default();
        let (told, changes) = watch::channel(0_u64);
        let mut listing = BTreeMap::new();
        let shared = Arc::clone(&seen);
        let following = follow(client, api, config, move |event| {
            let next = match event {
                Event::Init => {
                    listing.clear();
                    return;
                }
                Event::InitApply(object) => {
                    listing.insert(object.name_any(), Arc::new(object));
                    return;
                }
                Event::InitDone => Seen { synced: true, objects: std::mem::take(&mut listing) },
                Event::Apply(object) => {
                    let mut next = Seen::clone(&shared.load());
                    next.objects.insert(object.name_any(), Arc::new(object));
                    next
                }
                Event::Delete(object) => {
                    let mut next = Seen::clone(&shared.load());
                    next.objects.remove(&object.name_any());
                    next
                }
            };
            shared.store(Arc::new(next));
            told.send_modify(|count| *count = count.wrapping_add(1));
        });
        Self { seen, changes, following }
    }

    /// What is known now.
    #[must_use]
    pub fn seen(&self) -> Arc<Seen<K>> {
        self.seen.load_full()
    }

    /// Rises with every change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Why nothing can be seen now; what is known is as old as this.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.following.fault()
    }
}
