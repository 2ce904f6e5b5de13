//! Pods, as far as scenarios care.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;
use vouch_crds::names::port;

/// A pod that exists and is not on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// The node it runs on.
    pub node: String,
    /// Its address, once it has one.
    pub address: Option<IpAddr>,
    /// Whether it serves.
    pub ready: bool,
    /// How often its program was started again.
    pub restarts: u64,
}

impl Pod {
    /// Those of a list.
    #[must_use]
    pub fn of(list: &Value) -> Vec<Self> {
        let items = list["items"].as_array().into_iter().flatten();
        items.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).map(Self::from).collect()
    }

    /// Where it answers people.
    ///
    /// # Panics
    /// When it has no address yet.
    #[must_use]
    pub fn public(&self) -> SocketAddr {
        SocketAddr::new(self.address.expect("a pod that runs has an address"), port::PUBLIC)
    }
}

impl From<&Value> for Pod {
    fn from(pod: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        Self {
            name: text(&pod["metadata"]["name"]),
            node: text(&pod["spec"]["nodeName"]),
            address: pod["status"]["podIP"].as_str().and_then(|address| address.parse().ok()),
            restarts: pod["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap_or_default(),
            ready: conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True"),
        }
    }
}
