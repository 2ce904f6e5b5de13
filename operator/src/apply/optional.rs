//! APIs that a cluster may lack, and may be given later: Gateway API, cert-manager, the Prometheus operator.

use std::{collections::BTreeSet, time::Duration};

use kube::Client;
use tokio::sync::watch;

use super::kind::Kind;
use crate::failure;

/// How often the cluster is asked what it serves.
pub const INTERVAL: Duration = Duration::from_secs(30);

/// The optional kinds that the cluster serves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OptionalApis(BTreeSet<Kind>);

impl OptionalApis {
    /// Exactly these.
    #[must_use]
    pub fn of(kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self(kinds.into_iter().collect())
    }

    /// Whether objects of the kind can exist.
    #[must_use]
    pub fn serves(&self, kind: Kind) -> bool {
        !kind.is_optional() || self.0.contains(&kind)
    }
}

/// Asks the cluster. What it does not answer for stays as it was in `previous`: a silent API server must not look like
/// one that has lost its kinds.
pub async fn discover(client: &Client, previous: &OptionalApis) -> OptionalApis {
    let mut served = BTreeSet::new();
    for kind in Kind::OPTIONAL {
        let group_version = kind.group_version().api_version();
        let present = match client.list_api_group_resources(&group_version).await {
            Ok(resources) => resources.resources.iter().any(|resource| resource.kind == kind.as_str()),
            Err(error) if failure::is_not_found(&error) => false,
            Err(error) => {
                tracing::debug!(group_version, "cannot ask for an API: {}", failure::chain(&error));
                previous.serves(kind)
            }
        };
        if present {
            served.insert(kind);
        }
    }
    OptionalApis(served)
}

/// Keeps `known` up to date, for ever.
pub async fn follow(client: Client, known: watch::Sender<OptionalApis>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let previous = known.borrow().clone();
        let now = discover(&client, &previous).await;
        known.send_if_modified(|known| {
            let changed = *known != now;
            if changed {
                tracing::info!("the cluster serves other APIs than before: {now:?}");
                *known = now;
            }
            changed
        });
    }
}
