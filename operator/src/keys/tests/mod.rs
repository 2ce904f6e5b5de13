//! Decisions about keys, their laws, and whole passes with crashes in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod decisions;
mod faults;
mod laws;
mod passes;
mod unhindered;
mod unreadable;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use vouch_crds::{
    issuer::{KeyState, KeyStatus, VouchIssuer},
    names::{annotation, signing_keys},
};
use vouch_keyring::{Algorithm, ChangeContext, KeySet, Kid, SystemKeyGenerator};

use super::{
    Kept,
    apply::filled,
    change::{Changed, Notice, carry_out},
    declared::Declared,
    fault::KeyFault,
    observe::KeySecret,
    plan::{InForce, KeyPlan, Work, plan},
    report::short,
};
use crate::{apply::Owner, reason::Reason, tolerant::Tolerant};

const URL: &str = "https://vouch.example.com";
const START: i64 = 1_800_000_000;
const LEAD: i64 = 3600;
const PERIOD: i64 = 86400;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

fn owner() -> Owner {
    Owner { name: "login".into(), namespace: "vouch".into(), uid: "u1".into() }
}

fn issuer() -> VouchIssuer {
    let issuer = json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer",
        "metadata": {"name": "login", "namespace": "vouch", "uid": "u1", "generation": 1},
        "spec": {
            "url": URL,
            "organization": {"name": "Example", "emailDomains": ["example.com"]},
            "session": {"lifetime": "1h"},
            "signingKeys": {"rotationPeriod": "1d", "publishLead": "1h", "retainRetired": "2h"},
        },
    });
    serde_json::from_value(issuer).unwrap()
}

/// An issuer, its key Secret and a clock, without a cluster: what passes do to them, step by step.
#[derive(Clone)]
struct Model {
    issuer: VouchIssuer,
    secret: Option<Secret>,
    now: Timestamp,
}

/// Where a pass ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Where it should.
    Done,
    /// Before the Secret is written.
    BeforeWrite,
    /// After the Secret is written, before the status is.
    BeforeStatus,
}

impl Model {
    fn new() -> Self {
        Self { issuer: issuer(), secret: None, now: at(0) }
    }

    /// One whose keys have been made and reported.
    fn made() -> Self {
        let mut model = Self::new();
        model.pass(End::Done);
        model
    }

    fn declared(&self) -> Declared {
        Declared::of(&Tolerant::Readable(Arc::new(self.issuer.clone()))).unwrap()
    }

    fn stored(&self) -> Option<KeySecret> {
        self.secret.clone().map(|secret| KeySecret::of(secret, "login"))
    }

    fn plan(&self) -> KeyPlan {
        plan(self.stored().as_ref(), &self.declared(), self.now)
    }

    fn fault(&self) -> KeyFault {
        match self.plan() {
            KeyPlan::Stand(fault) => fault,
            other => panic!("no fault: {other}"),
        }
    }

    fn set(&self) -> KeySet {
        self.stored().unwrap().set.unwrap()
    }

    fn carry_out(&self, work: Work) -> Changed {
        let policy = self.declared().policy;
        let context = ChangeContext { policy: &policy, generator: &SystemKeyGenerator, now: self.now };
        carry_out(work, &context).unwrap()
    }

    fn pass(&mut self, end: End) -> Option<Kept> {
        let (declared, plan) = (self.declared(), self.plan());
        let keys: InForce = match plan {
            KeyPlan::Stand(_) => return None,
            KeyPlan::Keep(keys) => keys,
            KeyPlan::Write(work) => {
                let changed = self.carry_out(work);
                if end == End::BeforeWrite {
                    return None;
                }
                let before = self.stored().map(|stored| stored.rest);
                self.secret = Some(filled(&owner(), URL, before, &changed.keys).unwrap());
                changed.keys
            }
        };
        if end == End::BeforeStatus {
            return None;
        }
        let kept = Kept::of(&keys, None, None, &declared, self.now);
        let status = self.issuer.status.get_or_insert_default();
        status.keys.clone_from(&kept.report.keys);
        status.active_key.clone_from(&kept.report.active_key);
        status.next_rotation.clone_from(&kept.report.next_rotation);
        status.keys_initialized_at.clone_from(&kept.report.initialized_at);
        status.handled_orders.clone_from(&kept.report.handled_orders);
        // As it comes back from an API server, which keeps whole seconds.
        self.issuer = serde_json::from_value(serde_json::to_value(&self.issuer).unwrap()).unwrap();
        Some(kept)
    }

    /// Lets time go by.
    fn wait(&mut self, seconds: i64) {
        self.now = self.now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
    }

    fn order(&mut self, annotation: &str, value: impl Into<String>) {
        self.issuer.metadata.annotations.get_or_insert_default().insert(annotation.to_owned(), value.into());
    }

    fn initialized_at(&self) -> Timestamp {
        self.declared().initialized_at().unwrap()
    }

    fn status(&self) -> &[KeyStatus] {
        &self.issuer.status.as_ref().unwrap().keys
    }

    fn kid_of(&self, state: KeyState) -> Option<String> {
        self.status().iter().find(|key| key.state == state).map(|key| key.kid.clone())
    }

    fn write_data(&mut self, bytes: &[u8]) {
        let data = self.secret.as_mut().unwrap().data.as_mut().unwrap();
        data.insert(signing_keys::DATA_KEY.to_owned(), k8s_openapi::ByteString(bytes.to_vec()));
    }

    fn annotate_secret(&mut self, name: &str, value: Option<&str>) {
        let annotations = self.secret.as_mut().unwrap().metadata.annotations.as_mut().unwrap();
        match value {
            Some(value) => annotations.insert(name.to_owned(), value.to_owned()),
            None => annotations.remove(name),
        };
    }
}

fn active(set: &KeySet) -> Option<Kid> {
    set.active(Algorithm::Es256).map(|key| key.kid().clone())
}

fn seconds(duration: i64) -> Duration {
    Duration::from_secs(u64::try_from(duration).unwrap())
}

/// What people are told after a pass.
fn told(kept: &Kept) -> Vec<(Reason, String)> {
    kept.notices.iter().map(|Notice { reason, note }| (*reason, note.clone())).collect()
}
