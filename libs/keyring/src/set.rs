//! The set of signing keys.
//!
//! It is never empty: a set is made by [`KeySet::initialize`] or read from a document that holds a key, and no
//! change withdraws the last one. Whoever finds no document must ask an administrator; making keys where there
//! were some would break every verifier.

use jiff::Timestamp;

use crate::{
    algorithm::Algorithm,
    change::{Change, ChangeContext, ChangeKind},
    jwks::Jwks,
    key::KeyError,
    policy::KeyPolicy,
    public::VerifyingKey,
    sign::{NoSigner, Signer},
    state::{Key, KeyState, Lead, Tombstone},
    thumbprint::Kid,
};

/// Published keys, and the ids of revoked ones. At most one key of an algorithm is active, at most one is next.
#[derive(Debug, Clone)]
pub struct KeySet {
    pub(crate) keys: Vec<Key>,
    pub(crate) revoked: Vec<Tombstone>,
}

impl KeySet {
    /// The first set of an issuer. Its keys sign at once, because no verifier can hold an older JWKS, and the keys
    /// that follow them are published already. Where the issuer's URL was served with other keys before, verifiers
    /// refuse its tokens until they read the JWKS again: never call this because a document is missing.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn initialize(context: &ChangeContext<'_>) -> Result<(Self, Vec<Change>), KeyError> {
        let mut set = Self { keys: Vec::new(), revoked: Vec::new() };
        let mut changes = Vec::new();
        for algorithm in context.policy.algorithms() {
            let founder = set.publish(algorithm, context)?;
            let (published, activated) =
                (Change::of(founder, ChangeKind::Published), Change::of(founder, ChangeKind::Activated));
            set.begin_signing(&activated.kid, Lead::Founding, context);
            let follower = Change::of(set.publish(algorithm, context)?, ChangeKind::Published);
            changes.extend([published, activated, follower]);
        }
        Ok((set, changes))
    }

    /// Every published key, oldest first.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The revoked keys, oldest first.
    #[must_use]
    pub fn revoked(&self) -> &[Tombstone] {
        &self.revoked
    }

    /// The published key of this id.
    #[must_use]
    pub fn key(&self, kid: &Kid) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid() == kid)
    }

    /// The key that signs, if any.
    #[must_use]
    pub fn active(&self, algorithm: Algorithm) -> Option<&Key> {
        self.keys.iter().find(|key| key.algorithm() == algorithm && key.is_active())
    }

    /// The key that will sign next, if any.
    #[must_use]
    pub fn next(&self, algorithm: Algorithm) -> Option<&Key> {
        self.keys.iter().find(|key| key.algorithm() == algorithm && key.is_next())
    }

    pub(crate) fn signing(&self) -> Vec<&Key> {
        self.keys.iter().filter(|key| key.is_active()).collect()
    }

    /// The JWKS as verifiers get it.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        Jwks::of(&self.keys)
    }

    /// What signs tokens of this algorithm now. Make it once per change of the set, not per token.
    ///
    /// # Errors
    /// When no key may sign: after the active key was revoked, or when the algorithm was added a short while ago.
    /// The error says when that ends.
    pub fn signer(&self, algorithm: Algorithm, policy: &KeyPolicy) -> Result<Signer, NoSigner> {
        match (self.active(algorithm), self.next(algorithm)) {
            (Some(key), _) => Ok(Signer::new(key.private.clone())),
            (None, Some(next)) => Err(NoSigner::Waiting { algorithm, until: next.lead_over_at(policy) }),
            (None, None) => Err(NoSigner::NoKey { algorithm }),
        }
    }

    /// The keys whose signatures the issuer itself still accepts. A revoked key is not among them.
    #[must_use]
    pub fn verifying_keys(&self) -> Vec<VerifyingKey> {
        self.keys
            .iter()
            .map(|key| VerifyingKey {
                kid: key.kid().clone(),
                algorithm: key.algorithm(),
                der: key.private.public_der().to_vec(),
            })
            .collect()
    }

    /// Ids that `earlier` knew as revoked and this set publishes: it was restored from a backup made before.
    #[must_use]
    pub fn resurrected_since(&self, earlier: &Self) -> Vec<Kid> {
        let buried = earlier.revoked.iter().map(|tombstone| &tombstone.kid);
        buried.filter(|kid| self.key(kid).is_some()).cloned().collect()
    }

    /// The latest moment at which something happened to the set.
    pub(crate) fn latest_date(&self) -> Option<Timestamp> {
        let published = self.keys.iter().map(Key::latest_date);
        published.chain(self.revoked.iter().map(|tombstone| tombstone.revoked_at)).max()
    }

    /// The date of a change made at `now`. Dates of one set never run backwards: a key made while the clock is
    /// behind must not look old when the clock is put right.
    pub(crate) fn stamp(&self, now: Timestamp) -> Timestamp {
        self.latest_date().map_or(now, |latest| latest.max(now))
    }

    pub(crate) fn publish(&mut self, algorithm: Algorithm, context: &ChangeContext<'_>) -> Result<&Key, KeyError> {
        let private = context.generator.generate(algorithm)?;
        let published_at = self.stamp(context.now);
        Ok(self.keys.push_mut(Key { private, published_at, state: KeyState::Next }))
    }
}
