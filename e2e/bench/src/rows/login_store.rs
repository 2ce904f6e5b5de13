//! What a sign-in costs the issuer's store in a large organisation, against the same in a small one: the look-up of a
//! credential, the one compare-and-swap, and the change that comes back by the watch.

use std::time::Duration;

use jiff::Timestamp;
use vouch_issuer::store::{
    Store as _,
    kubernetes::KubernetesStore,
    record::{CredentialId, UsedChallenge},
};

use super::issuer_in_cluster::{FEW, MANY};
use crate::{
    BenchError, Row, cluster,
    compare::{self, Figure},
    measure::own_cpu,
    person::record,
    report::Target,
};

const ROUNDS: usize = 9;
const LOGINS_PER_ROUND: u32 = 200;

/// CPU time of the store's work in a sign-in, over that with few people.
#[must_use]
pub fn row() -> Row {
    Row {
        name: "login-store-50000",
        what: "CPU of a sign-in's work in the Kubernetes store, 50,000 people / 100",
        target: Target::AtMost(1.5),
        measure,
    }
}

fn measure() -> Result<Figure, BenchError> {
    let world = cluster::shared()?;
    let (large, small) = (world.namespace(MANY)?, world.namespace(FEW)?);
    let (large, small) = (world.run(large.store())?, world.run(small.store())?);
    let (mut in_large, mut in_small) = (Queue::of(MANY), Queue::of(FEW));
    let cost = |store: &KubernetesStore, queue: &mut Queue| -> Result<Duration, BenchError> {
        let credentials = (0..LOGINS_PER_ROUND).map(|_| credential(queue.next())).collect::<Result<Vec<_>, _>>()?;
        own_cpu(|| world.run(sign_in(store, &credentials)))
    };
    cost(&large, &mut in_large)?;
    cost(&small, &mut in_small)?;
    let ratio = compare::costs(ROUNDS, || cost(&large, &mut in_large), || cost(&small, &mut in_small))?;
    ratio.map(Figure::from).ok_or_else(|| BenchError::Missing("it took no time that can be measured".to_owned()))
}

/// Who signs in next: people from all over the organisation.
struct Queue {
    people: u32,
    next: u32,
}

impl Queue {
    /// A prime, so that everybody's turn comes.
    const STRIDE: u32 = 7919;

    const fn of(people: u32) -> Self {
        Self { people, next: 0 }
    }

    fn next(&mut self) -> u32 {
        self.next = (self.next + Self::STRIDE) % self.people;
        self.next
    }
}

async fn sign_in(store: &KubernetesStore, credentials: &[CredentialId]) -> Result<(), BenchError> {
    for credential in credentials {
        login(store, credential).await?;
    }
    Ok(())
}

fn credential(number: u32) -> Result<CredentialId, BenchError> {
    let record = record(number, Timestamp::UNIX_EPOCH)?;
    let key = record.keys.into_iter().next();
    key.map(|key| key.credential_id).ok_or_else(|| BenchError::Missing("a person without a key".to_owned()))
}

/// What an assertion that was verified does to the record.
async fn login(store: &KubernetesStore, credential: &CredentialId) -> Result<(), BenchError> {
    let now = Timestamp::now();
    let found = store.user_by_credential(credential).await.map_err(BenchError::failed("looking for a credential"))?;
    let current = found.ok_or_else(|| BenchError::Missing("nobody has this credential".to_owned()))?;
    let mut next = current.user.clone();
    let expires_at = now.saturating_add(Duration::from_secs(300)).unwrap_or(Timestamp::MAX);
    let digest = format!("{:022}", now.as_microsecond());
    next.used_challenges = vec![UsedChallenge { digest, expires_at }];
    for key in &mut next.keys {
        key.last_used_at = Some(now);
    }
    store.replace(&current, &next).await.map(drop).map_err(BenchError::failed("storing a sign-in"))
}
