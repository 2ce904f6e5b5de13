//! Every version that any key Secret ever had, and whether verifiers could live with each.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, WatchEvent, WatchParams},
};
use serde_json::Value;
use tokio::{task::JoinHandle, time::timeout};
use vouch_crds::names::signing_keys;
use vouch_keyring::{Algorithm, KeySet, KeyState};

/// How late a watch may be.
const LATE: Duration = Duration::from_secs(20);

/// What the keys of an issuer went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    /// How often they were written.
    pub(crate) versions: usize,
    /// How many of them have signed.
    pub(crate) signers: usize,
}

/// A version of a key Secret; nothing when it was deleted.
type Version = Option<Secret>;

/// Follows the key Secrets of all namespaces.
pub(crate) struct Witness {
    seen: Arc<Mutex<BTreeMap<String, Vec<Version>>>>,
    following: JoinHandle<()>,
}

impl Witness {
    pub(crate) async fn begin(client: Client) -> Self {
        let selector = format!("type={}", signing_keys::TYPE);
        let api: Api<Secret> = Api::all(client);
        let begun = api.list(&ListParams::default().fields(&selector)).await.unwrap();
        let mut version = begun.metadata.resource_version.unwrap();
        let seen: Arc<Mutex<BTreeMap<String, Vec<Version>>>> = Arc::default();
        let told = Arc::clone(&seen);
        let following = tokio::spawn(async move {
            loop {
                let parameters = WatchParams::default().fields(&selector);
                let mut events = Box::pin(api.watch(&parameters, &version).await.unwrap());
                while let Some(event) = events.next().await {
                    let (secret, exists) = match event.unwrap() {
                        WatchEvent::Added(secret) | WatchEvent::Modified(secret) => (secret, true),
                        WatchEvent::Deleted(secret) => (secret, false),
                        WatchEvent::Bookmark(bookmark) => {
                            version = bookmark.metadata.resource_version;
                            continue;
                        }
                        // A version that was missed might be the bad one.
                        WatchEvent::Error(status) => panic!("the key Secrets cannot be followed: {status:?}"),
                    };
                    version = secret.resource_version().unwrap();
                    let namespace = secret.namespace().unwrap();
                    told.lock().unwrap().entry(namespace).or_default().push(exists.then_some(secret));
                }
            }
        });
        Self { seen, following }
    }

    /// What the keys in a namespace have gone through until a version of their Secret.
    ///
    /// # Errors
    /// What no verifier could have lived with.
    pub(crate) async fn history(&self, namespace: &str, until: &str) -> Result<History, String> {
        let seen = async {
            loop {
                assert!(!self.following.is_finished(), "nobody follows the key Secrets any more");
                let seen = self.seen.lock().unwrap().get(namespace).cloned().unwrap_or_default();
                if seen.iter().flatten().any(|secret| secret.resource_version().as_deref() == Some(until)) {
                    return seen;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let seen = timeout(LATE, seen).await;
        judge(&seen.map_err(|_| format!("version {until} of the key Secret was never told of"))?)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// The keys in a Secret.
pub(crate) fn set_of(secret: &Secret) -> Result<KeySet, String> {
    let document = secret.data.as_ref().and_then(|data| data.get(signing_keys::DATA_KEY));
    KeySet::from_json(&document.ok_or("the key Secret is empty")?.0).map_err(|error| error.to_string())
}

/// Looks at every version: one key signs in each, it was published before it signs, and the published set is never empty.
fn judge(versions: &[Version]) -> Result<History, String> {
    let mut signers = BTreeSet::new();
    let mut published: Option<BTreeSet<String>> = None;
    for (number, version) in versions.iter().enumerate() {
        let wrong = |what: String| format!("version {} of the key Secret: {what}", number + 1);
        let secret = version.as_ref().ok_or_else(|| wrong("it was deleted".to_owned()))?;
        let set = set_of(secret).map_err(wrong)?;
        let served: Value = serde_json::from_str(set.jwks().body()).unwrap();
        if served["keys"].as_array().is_none_or(Vec::is_empty) {
            return Err(wrong("its JWKS is empty".to_owned()));
        }
        let active = set
            .keys()
            .iter()
            .filter(|key| key.algorithm() == Algorithm::Es256 && matches!(key.state(), KeyState::Active { .. }));
        let active: Vec<String> = active.map(|key| key.kid().to_string()).collect();
        let [signer] = active.as_slice() else {
            return Err(wrong(format!("{} keys are Active", active.len())));
        };
        if published.is_some_and(|published| !published.contains(signer)) {
            return Err(wrong("a key signs that was not published before".to_owned()));
        }
        published = Some(set.keys().iter().map(|key| key.kid().to_string()).collect());
        signers.insert(signer.clone());
    }
    Ok(History { versions: versions.len(), signers: signers.len() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::{SignedDuration, Timestamp};
    use k8s_openapi::ByteString;
    use vouch_keyring::{ChangeContext, KeyPolicy, KeyPolicySettings, SystemKeyGenerator};

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn version(set: &KeySet) -> Version {
        let document = ByteString(set.to_json().unwrap().as_bytes().to_vec());
        Some(Secret { data: Some([(signing_keys::DATA_KEY.to_owned(), document)].into()), ..Secret::default() })
    }

    fn first_and_rotated() -> (KeySet, KeySet) {
        let policy = KeyPolicy::new(KeyPolicySettings {
            algorithms: BTreeSet::from([Algorithm::Es256]),
            rotation_period: 30 * DAY,
            publish_lead: DAY,
            retain_retired: DAY,
            max_token_lifetime: DAY,
        });
        let (policy, now) = (policy.unwrap(), Timestamp::now());
        let context = ChangeContext { policy: &policy, generator: &SystemKeyGenerator, now };
        let (first, _) = KeySet::initialize(&context).unwrap();
        let mut rotated = first.clone();
        let later = now.checked_add(SignedDuration::try_from(31 * DAY).unwrap()).unwrap();
        rotated.advance(&ChangeContext { now: later, ..context }).unwrap();
        (first, rotated)
    }

    #[test]
    fn a_rotation_makes_one_more_version_and_one_more_signer() {
        let (first, rotated) = first_and_rotated();
        let history = judge(&[version(&first), version(&rotated)]).unwrap();
        assert_eq!(history, History { versions: 2, signers: 2 });
    }

    #[test]
    fn keys_that_come_from_nowhere_are_gone_or_cannot_be_read_are_told() {
        let ((first, _), (_, other)) = (first_and_rotated(), first_and_rotated());
        let empty = Some(Secret::default());
        for (second, wrong) in [
            (version(&other), "version 2 of the key Secret: a key signs that was not published before"),
            (None, "version 2 of the key Secret: it was deleted"),
            (empty, "version 2 of the key Secret: the key Secret is empty"),
        ] {
            assert_eq!(judge(&[version(&first), second]).unwrap_err(), wrong);
        }
    }
}
