//! A world with a clock that tests turn by hand.

use std::{cell::Cell, collections::BTreeSet, sync::LazyLock, time::Duration};

use jiff::Timestamp;
use vouch_keyring::{
    Algorithm, Change, ChangeContext, ChangeKind, KeyError, KeyGenerator, KeyPolicy, KeyPolicySettings, KeySet,
    KeyState, Kid, PrivateKey, SystemKeyGenerator,
};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// RSA keys are slow to make, and a set only ever holds a few.
static RSA_KEYS: LazyLock<Vec<PrivateKey>> =
    LazyLock::new(|| (0..12).map(|_| SystemKeyGenerator.generate(Algorithm::Rs256).unwrap()).collect());

/// Fresh P-256 keys, RSA keys from a pool: each once.
#[derive(Default)]
pub(crate) struct PooledGenerator {
    rsa_taken: Cell<usize>,
}

impl PooledGenerator {
    pub(crate) fn rsa_left(&self) -> usize {
        RSA_KEYS.len() - self.rsa_taken.get()
    }
}

impl KeyGenerator for PooledGenerator {
    fn generate(&self, algorithm: Algorithm) -> Result<PrivateKey, KeyError> {
        match algorithm {
            Algorithm::Es256 => SystemKeyGenerator.generate(algorithm),
            Algorithm::Rs256 => {
                let index = self.rsa_taken.replace(self.rsa_taken.get() + 1);
                RSA_KEYS.get(index).cloned().ok_or(KeyError::Generation(algorithm))
            }
        }
    }
}

/// A machine without a random source.
pub(crate) struct BrokenGenerator;

impl KeyGenerator for BrokenGenerator {
    fn generate(&self, algorithm: Algorithm) -> Result<PrivateKey, KeyError> {
        Err(KeyError::Generation(algorithm))
    }
}

/// 30 days, 1 day, 1 day, 1 hour.
pub(crate) fn settings(algorithms: &[Algorithm]) -> KeyPolicySettings {
    KeyPolicySettings {
        algorithms: algorithms.iter().copied().collect::<BTreeSet<_>>(),
        rotation_period: 30 * DAY,
        publish_lead: DAY,
        retain_retired: DAY,
        max_token_lifetime: HOUR,
    }
}

pub(crate) fn policy(algorithms: &[Algorithm]) -> KeyPolicy {
    KeyPolicy::new(settings(algorithms)).unwrap()
}

pub(crate) fn es256() -> KeyPolicy {
    policy(&[Algorithm::Es256])
}

pub(crate) fn both() -> KeyPolicy {
    policy(&[Algorithm::Es256, Algorithm::Rs256])
}

/// When the tests begin.
pub(crate) fn genesis() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A set with its policy, generator and clock.
pub(crate) struct World {
    pub(crate) set: KeySet,
    pub(crate) policy: KeyPolicy,
    pub(crate) generator: PooledGenerator,
    pub(crate) now: Timestamp,
}

impl World {
    pub(crate) fn new(policy: KeyPolicy) -> Self {
        let generator = PooledGenerator::default();
        let now = genesis();
        let (set, _) = KeySet::initialize(&ChangeContext { policy: &policy, generator: &generator, now }).unwrap();
        Self { set, policy, generator, now }
    }

    pub(crate) fn pass(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    /// Makes one change of the set.
    pub(crate) fn change<T>(&mut self, change: impl FnOnce(&mut KeySet, &ChangeContext<'_>) -> T) -> T {
        change(&mut self.set, &ChangeContext { policy: &self.policy, generator: &self.generator, now: self.now })
    }

    pub(crate) fn advance(&mut self) -> Vec<Change> {
        self.change(|set, context| set.advance(context)).unwrap()
    }

    pub(crate) fn active(&self, algorithm: Algorithm) -> Kid {
        self.set.active(algorithm).unwrap().kid().clone()
    }

    pub(crate) fn next(&self, algorithm: Algorithm) -> Kid {
        self.set.next(algorithm).unwrap().kid().clone()
    }

    /// The state of a key; `None` when it is not published.
    pub(crate) fn state(&self, kid: &Kid) -> Option<KeyState> {
        self.set.key(kid).map(vouch_keyring::Key::state)
    }
}

pub(crate) fn kinds(changes: &[Change]) -> Vec<ChangeKind> {
    changes.iter().map(|change| change.kind).collect()
}

/// The key ids of a JWKS, read as a verifier reads it.
pub(crate) fn published(set: &KeySet) -> BTreeSet<Kid> {
    let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_str(set.jwks().body()).unwrap();
    jwks.keys.iter().map(|jwk| jwk.common.key_id.as_ref().unwrap().parse().unwrap()).collect()
}
