//! People and their keys in `VouchUser` objects: the store of an issuer in a cluster.
//!
//! Reads come from an index in memory that a watch keeps current, so they go on when the API server is away. Every write
//! is one compare-and-swap on the object's resourceVersion, and a login changes nothing but its status. Declarations of
//! people (e-mail, groups, disabled) are in the spec and belong to administrators; a pod may not even write them.
//!
//! One object is one person. The cluster cannot promise that two objects never hold one address or one credential, so
//! the index decides it, the same way in every process: see [`index`].

mod fault;
mod follow;
mod index;
mod object;
mod objects;
mod record;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::watch;
use vouch_iam::identity::EmailAddress;

pub use self::{
    fault::ClusterFault,
    object::{Claims, Object},
};
use self::{
    follow::State,
    index::{Claimed, Origin, Taken},
    objects::{Created, Objects, Wrote},
};
use super::{
    Everybody, Store, StoreError, Stored,
    record::{CredentialId, Invite, InviteHash, UserId, UserRecord},
};
use crate::cluster::{Cluster, follow::Following};

/// How long a write that adds a credential waits until every earlier write has been seen.
const CONFIRMATION: Duration = Duration::from_secs(10);
/// Tries to take back a write that lost to an earlier one.
const ATTEMPTS: usize = 10;

/// Whom a store knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everybody in the namespace: what an issuer needs.
    Everybody,
    /// The person with this address, and nobody else: what a command about one person needs. [`Store::users`] still
    /// lists everybody.
    Person(EmailAddress),
}

/// [`Store`] on the `VouchUser` objects of a namespace. Clones share one index.
#[derive(Clone)]
pub struct KubernetesStore {
    objects: Objects,
    state: Arc<State>,
    following: Arc<Following>,
}

impl std::fmt::Debug for KubernetesStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubernetesStore").finish_non_exhaustive()
    }
}

impl KubernetesStore {
    /// Begins to follow the objects. Nobody is known until [`Self::synced`] returns.
    #[must_use]
    pub fn follow(cluster: &Cluster, scope: &Scope) -> Self {
        let objects = Objects::new(cluster);
        let state = Arc::<State>::default();
        let following = Arc::new(follow::begin(cluster, scope, Arc::clone(&state)));
        Self { objects, state, following }
    }

    /// Returns when everybody is known.
    pub async fn synced(&self) {
        self.state.synced().await;
    }

    /// Whether everybody is known.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.state.is_synced()
    }

    /// Why the objects cannot be followed now; what is known is as old as this.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.following.fault()
    }

    fn find(&self, claimed: Claimed, text: &str) -> Result<Option<Stored>, StoreError> {
        self.health_now()?;
        self.state.index().find(claimed, text).map(|found| found.map(|(_, stored)| stored))
    }

    fn health_now(&self) -> Result<(), StoreError> {
        if self.is_synced() { Ok(()) } else { Err(ClusterFault::NotSynced(self.fault()).into()) }
    }

    /// The object of a record that was read here or elsewhere.
    async fn object_of(&self, user: &UserRecord) -> Result<Arc<Object>, StoreError> {
        let known = self.state.index().object_of(user.id);
        if let Some(object) = known {
            return Ok(object);
        }
        let found = self.objects.with_email(&user.email).await?;
        let object = found.into_iter().find(|object| object.user_id() == user.id).ok_or(StoreError::Missing)?;
        Ok(self.state.take(object, Origin::Read))
    }

    /// Reads an object again after somebody else was faster, so that the next look is at what they wrote.
    async fn refresh(&self, name: &str) -> Result<(), StoreError> {
        match self.objects.get(name).await? {
            Some(object) => drop(self.state.take(object, Origin::Read)),
            None => self.state.forget(name, None),
        }
        Ok(())
    }

    /// Writes spec and status as far as they differ; a pod only ever has a status to write.
    async fn write(&self, object: &Object, current: &Stored, next: &UserRecord) -> Result<Option<Object>, StoreError> {
        let mut version = current.version.0.clone();
        let mut written = None;
        if current.user.groups != next.groups || current.user.disabled != next.disabled {
            let answer = self.objects.write_spec(&object.name, &version, next).await;
            let answer = self.answer(object, answer).await?;
            version = answer.version.to_string();
            written = Some(answer);
        }
        let (before, after) = (record::status(&current.user)?, record::status(next)?);
        if before != after {
            let answer = self.objects.write_status(&object.name, &version, after).await;
            written = Some(self.answer(object, answer).await?);
        }
        Ok(written)
    }

    async fn answer(&self, object: &Object, answer: Result<Wrote, ClusterFault>) -> Result<Object, StoreError> {
        match answer? {
            Wrote::Object(object) => Ok(*object),
            Wrote::Conflict => {
                self.refresh(&object.name).await?;
                Err(StoreError::Conflict)
            }
            Wrote::Gone => {
                self.state.forget(&object.name, Some(&object.uid));
                Err(StoreError::Missing)
            }
        }
    }

    /// Waits until every write before `written` has been seen, and says what of it belonged to somebody else before.
    async fn lost(&self, written: &Object) -> Result<Option<Taken>, StoreError> {
        let seen = tokio::time::timeout(CONFIRMATION, self.state.seen(written.revision())).await;
        if seen.is_err() {
            return Err(ClusterFault::Unconfirmed.into());
        }
        Ok(self.state.index().lost(written))
    }

    /// Writes the record of an object that this process has just made. The operator may have told its judgement of the object
    /// meanwhile, which is nothing of the record; whoever has written a record was faster.
    async fn complete(&self, object: &Object, user: &UserRecord) -> Result<Object, StoreError> {
        let (mut version, status) = (object.version.clone(), record::status(user)?);
        for _ in 0..ATTEMPTS {
            match self.objects.write_status(&object.name, &version, status.clone()).await? {
                Wrote::Object(written) => return Ok(*written),
                Wrote::Conflict => {}
                Wrote::Gone => break,
            }
            match self.objects.get(&object.name).await? {
                Some(current) if current.uid == object.uid && !current.has_record() => version = current.version,
                Some(other) => {
                    drop(self.state.take(other, Origin::Read));
                    return Err(Taken::Email.into());
                }
                None => break,
            }
        }
        Err(StoreError::Conflict)
    }

    /// Takes back the keys that `next` has and `before` has not, and the use of the invite that paid for them. Whatever
    /// somebody else has written meanwhile stays.
    async fn take_back(&self, object: &Object, before: &UserRecord, next: &UserRecord) {
        let added = |id: &str| next.key(id).is_some() && before.key(id).is_none();
        let paid = |invite: &Invite| next.invite.as_ref() == Some(invite);
        for _ in 0..ATTEMPTS {
            let current = match self.objects.get(&object.name).await {
                Ok(Some(current)) if current.uid == object.uid => current.stored(),
                Ok(_) => return,
                Err(fault) => {
                    let error = &fault as &dyn std::error::Error;
                    tracing::error!(error, object = &*object.name, "a key that was not enrolled is left in the record");
                    return;
                }
            };
            let Ok(current) = current else { return };
            let mut restored = current.user.clone();
            restored.keys.retain(|key| !added(&key.id));
            if restored.invite.as_ref().is_some_and(paid) {
                restored.invite.clone_from(&before.invite);
            }
            match self.write(object, &current, &restored).await {
                Ok(Some(object)) => return drop(self.state.take(object, Origin::Write)),
                Err(StoreError::Conflict) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Removes an object that this process has just made.
    async fn unmake(&self, object: &Object) {
        match self.objects.delete(object).await {
            Ok(()) => self.state.forget(&object.name, Some(&object.uid)),
            Err(fault) => {
                let error = &fault as &dyn std::error::Error;
                tracing::error!(error, object = &*object.name, "a second VouchUser of one person is left; delete it");
            }
        }
    }
}

#[async_trait]
impl Store for KubernetesStore {
    async fn user(&self, id: UserId) -> Result<Option<Stored>, StoreError> {
        self.find(Claimed::Id, &id.0.to_string())
    }

    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<Stored>, StoreError> {
        self.find(Claimed::Email, email.as_str())
    }

    async fn user_by_credential(&self, credential: &CredentialId) -> Result<Option<Stored>, StoreError> {
        self.find(Claimed::Credential, &credential.0)
    }

    async fn user_by_invite(&self, invite: &InviteHash) -> Result<Option<Stored>, StoreError> {
        self.find(Claimed::Invite, &invite.0)
    }

    /// Asks the API server, whatever the scope: it is an administrator who wants to see everybody.
    async fn users(&self) -> Result<Everybody, StoreError> {
        // Unlike the reads of a write, whose failure is that of the write.
        let objects = self.objects.everybody().await.map_err(|fault| StoreError::Unavailable(Box::new(fault)))?;
        index::everybody(objects)
    }

    async fn create(&self, user: &UserRecord) -> Result<Stored, StoreError> {
        self.health_now()?;
        if let Some(taken) = self.state.index().taken(user, None) {
            return Err(taken.into());
        }
        let object = match self.objects.create(user).await? {
            Created::Object(object) => *object,
            Created::Exists(Some(other)) if other.email.as_deref() != Some(user.email.as_str()) => {
                return Err(ClusterFault::NameTaken { email: user.email.clone(), object: other.name }.into());
            }
            Created::Exists(other) => {
                other.into_iter().for_each(|object| drop(self.state.take(*object, Origin::Read)));
                return Err(Taken::Email.into());
            }
        };
        let written = match self.complete(&object, user).await {
            Ok(written) => written,
            Err(error @ (StoreError::Conflict | StoreError::Taken(_))) => return Err(error),
            Err(error) => {
                self.unmake(&object).await;
                return Err(error);
            }
        };
        let written = self.state.take(written, Origin::Write);
        match self.lost(&written).await {
            Ok(None) => written.stored(),
            Ok(Some(taken)) => {
                self.unmake(&written).await;
                Err(taken.into())
            }
            Err(error) => {
                self.unmake(&written).await;
                Err(error)
            }
        }
    }

    async fn replace(&self, current: &Stored, next: &UserRecord) -> Result<Stored, StoreError> {
        self.health_now()?;
        current.same_person(next)?;
        let object = self.object_of(&current.user).await?;
        if let Some(taken) = self.state.index().taken(next, Some(&object)) {
            return Err(taken.into());
        }
        let Some(written) = self.write(&object, current, next).await? else { return Ok(current.clone()) };
        let written = self.state.take(written, Origin::Write);
        if next.keys.iter().any(|key| current.user.key(&key.id).is_none()) {
            match self.lost(&written).await {
                Ok(None) => {}
                Ok(Some(taken)) => {
                    self.take_back(&written, &current.user, next).await;
                    return Err(taken.into());
                }
                Err(error) => {
                    self.take_back(&written, &current.user, next).await;
                    return Err(error);
                }
            }
        }
        written.stored()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.state.changes()
    }

    /// What is known stays good when the API server is away.
    async fn health(&self) -> Result<(), StoreError> {
        self.health_now()
    }

    fn stale(&self) -> Option<String> {
        self.fault()
    }
}
