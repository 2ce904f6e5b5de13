//! The keys as the request path uses them: prepared once per change, read without a lock.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;
use vouch_keyring::{Algorithm, KeyPolicy, KeySet, KeyState, Lead, NoSigner, Signer, next_transition};

use super::{change::DocumentId, published::PublishedKey, silence::Silence};
use crate::http::discovery::Document;

/// One key, for people and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyStatus {
    /// The `kid`.
    pub kid: String,
    /// `ES256` or `RS256`.
    pub algorithm: Algorithm,
    /// `next`, `active` or `retired`.
    pub state: &'static str,
    /// When verifiers could first see it.
    pub published_at: Timestamp,
    /// When it began to sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Timestamp>,
    /// When it stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
    /// Whether it began before every verifier could know it, on an administrator's order.
    pub lead_waived: bool,
}

/// Every published key, active first.
#[must_use]
pub fn statuses(set: &KeySet) -> Vec<KeyStatus> {
    let mut statuses: Vec<KeyStatus> = set.keys().iter().map(status).collect();
    let order = |state| ["active", "next", "retired"].iter().position(|known| *known == state);
    statuses.sort_by(|a, b| {
        (order(a.state), a.algorithm, b.published_at).cmp(&(order(b.state), b.algorithm, a.published_at))
    });
    statuses
}

fn status(key: &vouch_keyring::Key) -> KeyStatus {
    let (activated_at, retired_at, lead) = match key.state() {
        KeyState::Next => (None, None, None),
        KeyState::Active { activated_at, lead, .. } => (Some(activated_at), None, Some(lead)),
        KeyState::Retired { activated_at, retired_at, lead, .. } => (Some(activated_at), Some(retired_at), Some(lead)),
    };
    KeyStatus {
        kid: key.kid().to_string(),
        algorithm: key.algorithm(),
        state: key.state().name(),
        published_at: key.published_at(),
        activated_at,
        retired_at,
        lead_waived: lead == Some(Lead::Waived),
    }
}

/// A set of keys, ready for use.
pub struct Snapshot {
    /// The key set document, as served.
    pub jwks: Document,
    /// Every published key, active first.
    pub keys: Vec<KeyStatus>,
    /// Keys that were revoked.
    pub revoked: usize,
    /// When the planner will change something; `None`: never.
    pub next_transition: Option<Timestamp>,
    /// The set's dates lie ahead of the clock by so much; nothing rotates until the clock has caught up.
    pub clock_behind: Option<std::time::Duration>,
    /// Whether nothing signs, since a key was revoked.
    pub silence: Option<Silence>,
    signers: Vec<(Algorithm, Result<Arc<Signer>, NoSigner>)>,
    verifying: HashMap<String, Arc<PublishedKey>>,
    pub(super) set: KeySet,
    pub(super) document: DocumentId,
}

impl Snapshot {
    pub(super) fn new(set: KeySet, document: DocumentId, policy: &KeyPolicy, now: Timestamp) -> Self {
        let signers = Algorithm::ALL.map(|algorithm| (algorithm, set.signer(algorithm, policy).map(Arc::new)));
        Self {
            jwks: Document::new(set.jwks().body().to_owned()),
            keys: statuses(&set),
            revoked: set.revoked().len(),
            next_transition: next_transition(&set, policy, now),
            clock_behind: set.clock_behind_by(now),
            silence: Silence::of(&set, policy),
            signers: signers.into(),
            verifying: verifying(&set),
            set,
            document,
        }
    }

    pub(super) fn signer(&self, algorithm: Algorithm) -> Result<Arc<Signer>, NoSigner> {
        let known = self.signers.iter().find(|(known, _)| *known == algorithm);
        known.map_or(Err(NoSigner::NoKey { algorithm }), |(_, signer)| signer.clone())
    }

    pub(super) fn verifying_key(&self, kid: &str) -> Option<Arc<PublishedKey>> {
        self.verifying.get(kid).cloned()
    }

    /// How many keys are in each state, states without keys included.
    #[must_use]
    pub fn count_by_state(&self) -> Vec<(&'static str, i64)> {
        let count = |state| self.keys.iter().filter(|key| key.state == state).count();
        ["next", "active", "retired"]
            .map(|state| (state, count(state)))
            .into_iter()
            .chain([("revoked", self.revoked)])
            .map(|(state, count)| (state, i64::try_from(count).unwrap_or(i64::MAX)))
            .collect()
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("keys", &self.keys).finish_non_exhaustive()
    }
}

fn verifying(set: &KeySet) -> HashMap<String, Arc<PublishedKey>> {
    let mut verifying = HashMap::new();
    for key in set.verifying_keys() {
        match PublishedKey::parse(&key) {
            Ok(published) => {
                verifying.insert(key.kid.to_string(), Arc::new(published));
            }
            Err(error) => tracing::error!(%error, kid = %key.kid, "a published key cannot verify anything"),
        }
    }
    verifying
}
