//! A namespace with an issuer and people, all of them real: the operator has made the keys, and the issuer's own store the
//! people.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use vouch_crds::{names, user::VouchUser};
use vouch_issuer::{
    cluster::{Cluster, Configuration, RootSecret, SigningKeys},
    config::Config,
    identity::session::SessionClaims,
    keys::KeyService,
    store::{
        Store as _,
        kubernetes::{KubernetesStore, Scope},
    },
};

use super::{World, done, operator::Operator};
use crate::{
    BenchError,
    issuer::{ISSUER_URL, MANIFEST, NAME, Running},
    person::{KEY_ID, Person, email, record},
    process::PATIENCE,
};

/// Requests that are under way at once when people are made or changed by the thousand.
const AT_ONCE: usize = 32;
/// People in one page of a list.
const PAGE: u32 = 500;
/// Between two looks at what comes by itself.
const PAUSE: Duration = Duration::from_millis(20);

/// A namespace with an issuer and people.
#[derive(Debug)]
pub struct Namespace {
    cluster: Cluster,
    people: u32,
    folder: TempDir,
}

impl Namespace {
    /// Makes one.
    pub(super) fn make(world: &World, people: u32) -> Result<Self, BenchError> {
        let name = format!("people-{people}");
        done("making a namespace", &world.control_plane.kubectl(&["create", "namespace", &name]))?;
        done("declaring an issuer", &world.control_plane.apply(MANIFEST, &["--namespace", &name]))?;
        let folder = tempfile::tempdir().map_err(BenchError::failed("making a folder"))?;
        let made = Self { cluster: Cluster { client: world.client.clone(), namespace: name }, people, folder };
        made.make_keys(world)?;
        world.run(made.make_people())?;
        Ok(made)
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.cluster.namespace
    }

    /// How many people there are.
    #[must_use]
    pub const fn people(&self) -> u32 {
        self.people
    }

    /// The operator makes the Secrets of the issuer, and goes before there is anybody to judge.
    fn make_keys(&self, world: &World) -> Result<(), BenchError> {
        let operator = Operator::start(world, self.name())?;
        world.run(async {
            let root_secret = RootSecret::follow(&self.cluster, NAME);
            soon("reading the root secret", async || root_secret.read()).await?;
            self.keys().await
        })?;
        operator.stop()
    }

    /// The keys of the issuer, and how long its sessions live.
    async fn keys(&self) -> Result<(KeyService, Duration), BenchError> {
        let configuration = Configuration::follow(&self.cluster, NAME);
        let declared = soon("reading the configuration", async || configuration.read()).await?;
        let (Config { key_policy, session_lifetime, .. }, _) = declared.split();
        let secret = Arc::new(SigningKeys::follow(&self.cluster, NAME, ISSUER_URL));
        let keys = soon("reading the signing keys", async || {
            KeyService::follow(Arc::<SigningKeys>::clone(&secret), key_policy.clone(), Timestamp::now()).await
        });
        Ok((keys.await?, session_lifetime))
    }

    /// The store of an issuer here.
    ///
    /// # Errors
    /// When it does not come to know everybody.
    pub async fn store(&self) -> Result<KubernetesStore, BenchError> {
        let store = KubernetesStore::follow(&self.cluster, &Scope::Everybody);
        let known = tokio::time::timeout(PATIENCE, store.synced()).await;
        known.map_err(BenchError::failed("following people"))?;
        Ok(store)
    }

    async fn make_people(&self) -> Result<(), BenchError> {
        let store = &self.store().await?;
        let people = stream::iter(0..self.people).map(|number| async move {
            let person = record(number, Timestamp::now())?;
            store.create(&person).await.map(drop).map_err(BenchError::failed("storing a person"))
        });
        people.buffer_unordered(AT_ONCE).try_collect().await
    }

    fn objects(&self) -> Api<VouchUser> {
        Api::namespaced(self.cluster.client.clone(), self.name())
    }

    /// Of how many people the operator has said something.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn judged(&self) -> Result<u32, BenchError> {
        let (objects, mut page, mut judged) = (self.objects(), ListParams::default().limit(PAGE), 0);
        loop {
            let answer = objects.list(&page).await.map_err(BenchError::failed("listing people"))?;
            let has_condition = |user: &&VouchUser| user.status.iter().any(|status| !status.conditions.is_empty());
            judged += u32::try_from(answer.items.iter().filter(has_condition).count()).unwrap_or(u32::MAX);
            match answer.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(judged),
            }
        }
    }

    /// Takes back whatever the operator has said of people.
    ///
    /// # Errors
    /// When somebody cannot be written.
    pub async fn unjudge(&self) -> Result<(), BenchError> {
        let nothing = json!({"status": {"conditions": Value::Null, "observedGeneration": Value::Null}});
        let (objects, nothing) = (&self.objects(), &Patch::Merge(nothing));
        let people = stream::iter(0..self.people).map(|number| async move {
            let written = objects.patch_status(&object_name(number), &PatchParams::default(), nothing).await;
            written.map(drop).map_err(BenchError::failed("changing a person"))
        });
        people.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Disables somebody, or takes that back, as an administrator does.
    pub fn disable(
        &self,
        number: u32,
        disabled: bool,
    ) -> impl Future<Output = Result<(), BenchError>> + Send + 'static {
        let objects = self.objects();
        async move {
            let patch = Patch::Merge(json!({"spec": {"disabled": disabled}}));
            let written = objects.patch(&object_name(number), &PatchParams::default(), &patch).await;
            written.map(drop).map_err(BenchError::failed("disabling a person"))
        }
    }

    /// Somebody who has signed in, with an agent of their own.
    ///
    /// # Errors
    /// When the keys of the issuer cannot be read.
    pub fn signed_in(&self, world: &World, number: u32) -> Result<Person, BenchError> {
        Person::with_token(|thumbprint| world.run(self.session_token(number, thumbprint)))
    }

    async fn session_token(&self, number: u32, thumbprint: String) -> Result<String, BenchError> {
        let user = record(number, Timestamp::now())?;
        let (keys, lifetime) = self.keys().await?;
        let signer = keys.signer().map_err(BenchError::failed("choosing a signing key"))?;
        let session = SessionClaims::begin(user.id, KEY_ID, thumbprint, Timestamp::now(), lifetime);
        session.sign(&signer, ISSUER_URL).map_err(BenchError::failed("signing a session token"))
    }

    /// Starts a replica of the issuer: a process that does what a pod does. Returns when it accepts connections.
    ///
    /// # Errors
    /// When it does not start.
    pub fn serve(&self, world: &World, replica: u32) -> Result<Running<'_>, BenchError> {
        let folder = self.folder.path().join(format!("replica-{replica}"));
        std::fs::create_dir_all(&folder).map_err(BenchError::failed("making a folder"))?;
        Running::start(&self.folder, &folder, |command| {
            command.args(["--issuer", NAME, "--namespace", self.name()]).env("KUBECONFIG", world.kubeconfig());
        })
    }
}

/// Tries again until it goes well: what has just been declared comes by itself.
async fn soon<T, E: Error>(what: &'static str, mut look: impl AsyncFnMut() -> Result<T, E>) -> Result<T, BenchError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(found) => return Ok(found),
            Err(error) if Instant::now() >= deadline => return Err(BenchError::failed(what)(error)),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// The object of one person of many.
fn object_name(number: u32) -> String {
    names::user_object_name(&email(number))
}
