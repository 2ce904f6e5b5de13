//! The life of an issuer in stages, and the operator that is killed in one of them.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client,
    api::{ApiResource, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep_until, timeout};
use vouch_control_plane::PATIENCE;
use vouch_crds::{
    issuer::VouchIssuer,
    names::{annotation, signing_keys},
};

use crate::{
    call::Call,
    keys::{History, Witness},
    operator::Operator,
    portrait::{self, Portrait},
    proxy::{Fault, Moment, Proxy},
};

/// Longer than everything that the operator puts off: what it has not begun by then, it will not.
const QUIET: Duration = Duration::from_millis(700);
/// The same for the run that all others are held against.
const LONG_QUIET: Duration = Duration::from_secs(2);
/// How often a life is begun anew in which the operator ends by itself, for want of time to renew its lease, or in which it
/// does at once what it did in two steps in the reference, so that the request does not come.
const TRIES: usize = 3;

/// A part of an issuer's life, between two moments of rest.
pub(crate) struct Stage {
    pub(crate) title: &'static str,
    /// When it begins, in hours since the issuer was declared.
    hours: u32,
    /// The order to rotate that an administrator gives at its beginning.
    order: Option<&'static str>,
    /// The keys at its end, the oldest first.
    keys: &'static [&'static str],
    /// How many keys have signed at its end.
    signers: usize,
}

/// With a lead of a day and a period of thirty. In each stage keys are written once.
pub(crate) const LIFE: [Stage; 6] = [
    Stage { title: "installation", hours: 0, order: None, keys: &["active", "next"], signers: 1 },
    Stage {
        title: "an order before the next key may sign",
        hours: 1,
        order: Some("1"),
        keys: &["active", "next"],
        signers: 1,
    },
    Stage {
        title: "the rotation that was ordered",
        hours: 25,
        order: None,
        keys: &["retired", "active", "next"],
        signers: 2,
    },
    Stage { title: "the end of a retired key", hours: 50, order: None, keys: &["active", "next"], signers: 2 },
    Stage {
        title: "an order when the next key may sign",
        hours: 51,
        order: Some("2"),
        keys: &["retired", "active", "next"],
        signers: 3,
    },
    Stage {
        title: "a rotation by the calendar",
        hours: 51 + 30 * 24 + 1,
        order: None,
        keys: &["retired", "active", "next"],
        signers: 4,
    },
];

/// What a stage came to.
#[derive(Debug, Clone)]
pub(crate) struct End {
    portrait: Portrait,
    history: History,
}

/// How closely a stage is looked at.
#[derive(Debug, Clone, Copy)]
enum Look {
    AtKeys,
    AtEverything,
}

/// A stage of the life in which nobody dies.
pub(crate) struct Reference {
    end: End,
    pub(crate) calls: Vec<Call>,
}

/// Where all issuers live.
pub(crate) struct World {
    client: Client,
    kinds: Vec<ApiResource>,
    witness: Witness,
    folder: TempDir,
    issuers: AtomicUsize,
}

/// An issuer in a namespace of its own.
struct Issuer<'a> {
    world: &'a World,
    namespace: String,
    born: Timestamp,
}

impl World {
    pub(crate) async fn begin(client: Client) -> Self {
        Self {
            kinds: portrait::kinds(&client).await,
            witness: Witness::begin(client.clone()).await,
            client,
            folder: tempfile::tempdir().unwrap(),
            issuers: AtomicUsize::new(0),
        }
    }

    /// Lives through everything without a crash.
    pub(crate) async fn reference(&self) -> Vec<Reference> {
        let issuer = self.declare().await;
        let mut references = Vec::new();
        for stage in &LIFE {
            issuer.enter(stage).await;
            let (mut operator, proxy) = issuer.operator(stage, "operator-0", None).await;
            let end = timeout(PATIENCE, issuer.comes_to_rest(stage, &proxy)).await;
            let end = end.unwrap_or_else(|_| panic!("{} does not end:\n{}", stage.title, operator.words()));
            operator.kill().await;
            references.push(Reference { end, calls: proxy.calls() });
        }
        for (versions, (stage, reference)) in (1..).zip(LIFE.iter().zip(&references)) {
            assert_eq!(reference.end.history, History { versions, signers: stage.signers }, "{}", stage.title);
        }
        references
    }

    /// Lives until a stage, in which the operator is killed and another goes on.
    ///
    /// # Errors
    /// How it came out otherwise than without a crash.
    pub(crate) async fn crash(&self, references: &[Reference], at: usize, fault: &Fault) -> Result<(), String> {
        for _ in 0..TRIES {
            let issuer = self.declare().await;
            for (stage, reference) in LIFE.iter().zip(references).take(at) {
                issuer.enter(stage).await;
                issuer.comes_to(stage, "operator-0", reference, Look::AtKeys).await?;
            }
            let (stage, reference) = (&LIFE[at], &references[at]);
            issuer.enter(stage).await;
            if issuer.dies(stage, fault, reference).await? {
                // A container starts again in its pod, which still has the lease; or another pod takes over.
                let pod = if fault.moment == Moment::Before { "operator-0" } else { "operator-1" };
                return issuer.comes_to(stage, pod, reference, Look::AtEverything).await;
            }
        }
        Err("the operator always ends by itself or has nothing more to do before".to_owned())
    }

    async fn declare(&self) -> Issuer<'_> {
        let namespace = format!("crash-{:04}", self.issuers.fetch_add(1, Ordering::Relaxed));
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let object = serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
        namespaces.create(&PostParams::default(), &object).await.unwrap();
        let issuer = Issuer { world: self, namespace, born: Timestamp::now() };
        issuer.api().create(&PostParams::default(), &declaration()).await.unwrap();
        issuer
    }
}

/// Of everything that a cluster serves by itself, with one pod, so that no autoscaler has anything to do.
fn declaration() -> VouchIssuer {
    let declaration = json!({
        "apiVersion": "vouch.sh/v1alpha1",
        "kind": "VouchIssuer",
        "metadata": {"name": "vouch"},
        "spec": {
            "url": "https://vouch.example.com",
            "organization": {"name": "Example Inc", "emailDomains": ["example.com"]},
            "signingKeys": {"publishLead": "24h", "retainRetired": "24h", "rotationPeriod": "30d"},
            "deployment": {"autoscaling": {"minReplicas": 1, "maxReplicas": 2}},
            "exposure": {"ingress": {}, "networkPolicy": {"enabled": true}},
        },
    });
    serde_json::from_value(declaration).unwrap()
}

impl Issuer<'_> {
    fn api(&self) -> Api<VouchIssuer> {
        Api::namespaced(self.world.client.clone(), &self.namespace)
    }

    /// Does what an administrator does at the beginning of a stage.
    async fn enter(&self, stage: &Stage) {
        if let Some(order) = stage.order {
            let patch = json!({"metadata": {"annotations": {annotation::ROTATE_KEYS: order}}});
            self.api().patch("vouch", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        }
    }

    async fn operator(&self, stage: &Stage, pod: &str, fault: Option<Fault>) -> (Operator, Proxy) {
        let folder = self.world.folder.path();
        let proxy = Proxy::start(self.world.client.clone(), &self.namespace, fault).await;
        let kubeconfig = proxy.kubeconfig(folder);
        (Operator::start(folder, &kubeconfig, &self.namespace, pod, stage.hours), proxy)
    }

    async fn end(&self) -> Result<End, String> {
        let portrait = Portrait::take(&self.world.client, &self.world.kinds, &self.namespace, self.born).await?;
        Ok(End { portrait, history: self.history().await? })
    }

    async fn history(&self) -> Result<History, String> {
        let secrets: Api<Secret> = Api::namespaced(self.world.client.clone(), &self.namespace);
        let keys = secrets.get_metadata_opt(&signing_keys::name("vouch")).await.unwrap();
        let version = keys.and_then(|keys| keys.metadata.resource_version).ok_or("there is no key Secret")?;
        self.world.witness.history(&self.namespace, &version).await
    }

    /// Lets an operator without a predecessor work until it has nothing more to do.
    async fn comes_to_rest(&self, stage: &Stage, proxy: &Proxy) -> End {
        loop {
            proxy.at_rest(LONG_QUIET).await;
            match self.end().await {
                Ok(end) if end.portrait.states == stage.keys && self.unreported().await.is_empty() => return end,
                _ => tokio::time::sleep(QUIET).await,
            }
        }
    }

    /// Ends when everything is as it was without a crash, and the operator has nothing more to do.
    async fn settles(&self, proxy: &Proxy, quiet: Duration, reference: &Reference, look: Look) {
        loop {
            proxy.at_rest(quiet).await;
            if self.differences(reference, look).await.is_empty() {
                return;
            }
            tokio::time::sleep(QUIET).await;
        }
    }

    /// Lets an operator work until its last request. False when it ends by itself before, or comes to the end without it.
    async fn dies(&self, stage: &Stage, fault: &Fault, reference: &Reference) -> Result<bool, String> {
        let (mut operator, proxy) = self.operator(stage, "operator-0", Some(fault.clone())).await;
        tokio::select! {
            struck = timeout(PATIENCE, proxy.struck()) => {
                operator.kill().await;
                struck.map_err(|_| format!("the request does not come:\n{}", operator.words()))?;
                Ok(true)
            }
            () = self.settles(&proxy, LONG_QUIET, reference, Look::AtEverything) => {
                operator.kill().await;
                Ok(false)
            }
            () = operator.ended() => Ok(false),
        }
    }

    /// Lets an operator work until everything is as it was without a crash, and it has nothing more to do.
    async fn comes_to(&self, stage: &Stage, pod: &str, reference: &Reference, look: Look) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (mut operator, proxy) = self.operator(stage, pod, None).await;
            let time_is_up = tokio::select! {
                () = self.settles(&proxy, QUIET, reference, look) => return Ok(()),
                // It has lost its lease, perhaps, and is started again.
                () = operator.ended() => Instant::now() >= deadline,
                () = sleep_until(deadline) => true,
            };
            if time_is_up {
                let differences = self.differences(reference, look).await.join("\n    ");
                return Err(format!("after {}:\n    {differences}\n{}", stage.title, operator.words()));
            }
        }
    }

    /// That nothing is reported yet: since when a condition holds is seen in every later stage.
    async fn unreported(&self) -> Vec<String> {
        let issuer = self.api().get("vouch").await.unwrap();
        let is_reported = issuer.status.is_some_and(|status| !status.conditions.is_empty());
        if is_reported { Vec::new() } else { vec!["nothing is reported".to_owned()] }
    }

    async fn differences(&self, reference: &Reference, look: Look) -> Vec<String> {
        let End { portrait, history } = &reference.end;
        let found = match look {
            Look::AtKeys => match self.history().await {
                Ok(found) => Ok((found, self.unreported().await)),
                Err(why) => Err(why),
            },
            Look::AtEverything => self.end().await.map(|end| (end.history, end.portrait.differences(portrait))),
        };
        match found {
            Ok((found, mut differences)) => {
                if found != *history {
                    differences.push(format!("the keys' history is {found:?}, not {history:?}"));
                }
                differences
            }
            Err(why) => vec![why],
        }
    }
}
