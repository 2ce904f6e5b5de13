//! The signing keys of an issuer: one Secret, of which the operator is the only writer, and the Secret from which the
//! issuer derives all else.
//!
//! `gather → plan → apply → report`, like everything here. What is to be done is a pure decision ([`plan`]); a change is
//! computed in memory ([`change`]), stored by compare-and-swap ([`apply`]), and reported afterwards ([`report`]), so that
//! a crash at any moment leaves keys that the next pass goes on from. Nothing here ever answers a Secret that is gone,
//! damaged or foreign with new keys; a person does that in so many words ([`orders`]).

pub mod apply;
pub mod change;
pub mod declared;
pub mod fault;
pub mod observe;
pub mod orders;
pub mod plan;
pub mod report;
#[cfg(test)]
mod tests;
pub mod transition;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Resource as _, core::PartialObjectMeta, runtime::reflector::ObjectRef};
use vouch_crds::{
    issuer::{VouchIssuer, VouchIssuerStatus},
    names::{label, root_secret, signing_keys},
};
use vouch_keyring::{ChangeContext, ChangeError, KeyPolicy, SystemKeyGenerator};

use self::{
    apply::Outcome,
    change::{Changed, Notice},
    declared::{Declared, UndeclaredError},
    fault::KeyFault,
    plan::{InForce, KeyPlan, RootPlan, Work},
    transition::Transition,
};
use crate::{
    apply::Owner,
    context::Context,
    failure::{self, Category},
    issuer::status::KeysReport,
    reason::Reason,
    status::{Finding, Truth},
    tolerant::Tolerant,
};

/// How often keys are read again because somebody else was faster; each time means that another writer has succeeded.
const ATTEMPTS: usize = 5;

/// The keys could not be looked after in this pass.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A Secret cannot be read.
    #[error("could not read Secret {secret}")]
    Hidden {
        /// Which.
        secret: String,
        /// Why not.
        #[source]
        source: kube::Error,
    },
    /// The API server refused, or did not answer.
    #[error("could not {verb} {object}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// On what.
        object: String,
        /// Why it failed.
        #[source]
        source: kube::Error,
    },
    /// No key could be made.
    #[error("the signing keys could not be changed")]
    Change(#[from] ChangeError),
    /// The keys cannot be written down.
    #[error("the signing keys have no form that can be stored")]
    Form(#[source] serde_json::Error),
    /// The system has no randomness to give.
    #[error("the system's random source fails")]
    Randomness,
    /// The computation ended before its time.
    #[error("making keys was given up")]
    Abandoned(#[from] tokio::task::JoinError),
    /// Nobody can tell how keys are to rotate.
    #[error(transparent)]
    Undeclared(#[from] UndeclaredError),
    /// What this pass is about has changed since it began.
    #[error("VouchIssuer {0} has changed meanwhile")]
    Outdated(String),
    /// Somebody writes the Secret all the time.
    #[error("the Secrets of {0} were changed by somebody else, again and again")]
    Contended(String),
}

impl KeysError {
    /// What helps.
    #[must_use]
    pub fn category(&self) -> Category {
        match self {
            Self::Hidden { source, .. } | Self::Api { source, .. } => Category::of(source),
            Self::Contended(_) | Self::Outdated(_) => Category::Conflict,
            Self::Undeclared(_) => Category::Invalid,
            _ => Category::Transient,
        }
    }
}

/// What became of the keys in a pass.
#[derive(Debug)]
pub struct Kept {
    /// For the status.
    pub report: KeysReport,
    /// Why the pass did not come to its end.
    pub failed: Option<KeysError>,
    transitions: Vec<Transition>,
    notices: Vec<Notice>,
}

impl Kept {
    fn of(
        keys: &InForce,
        origin: Option<Notice>,
        fault: Option<KeyFault>,
        declared: &Declared,
        now: Timestamp,
    ) -> Self {
        let restored = declared.resurrected(&keys.set).first().map(|kid| declared.restored(kid));
        let report = report::report(keys, restored.or(fault).as_ref(), declared, now);
        let transitions = transition::transitions(&declared.status.keys, &report.keys);
        let told = || transition::notices(&transitions, &keys.set, &declared.policy);
        let notices = origin.map_or_else(told, |origin| vec![origin]);
        Self { report, failed: None, transitions, notices }
    }

    fn stand(status: &VouchIssuerStatus, finding: Finding) -> Self {
        let report = report::unchanged(status, finding);
        Self { report, failed: None, transitions: Vec::new(), notices: Vec::new() }
    }

    /// A fault of keys that were read does not hide them from whoever counts them.
    fn faulty(status: &VouchIssuerStatus, fault: &KeyFault) -> Self {
        let mut kept = Self::stand(status, report::faulty(fault));
        kept.report.readable = matches!(fault, KeyFault::Restored { .. });
        kept
    }

    fn failed(status: &VouchIssuerStatus, error: KeysError) -> Self {
        let finding = report::undecided(error.category(), failure::chain(&error));
        let mut kept = Self::stand(status, finding);
        kept.report.readable = !matches!(error, KeysError::Hidden { .. });
        Self { failed: Some(error), ..kept }
    }

    /// Adds a failure that has not kept the signing keys from being looked after.
    fn although(mut self, error: Option<KeysError>) -> Self {
        if let Some(error) = &error
            && self.report.finding.truth == Truth::True
        {
            self.report.finding = report::undecided(error.category(), failure::chain(error));
        }
        Self { failed: self.failed.or(error), ..self }
    }

    /// Shows in metrics how things stand, whatever becomes of the status.
    pub fn measure(&self, context: &Context, owner: &Owner) {
        let keys = if self.report.readable { self.report.keys.as_slice() } else { &[] };
        context.metrics.set_keys(&owner.namespace, &owner.name, keys);
        let next = self.report.next_rotation.as_ref().map(|at| at.0);
        context.metrics.set_next_rotation(&owner.namespace, &owner.name, next);
    }

    /// Tells people what has turned, once it stands in the status, and counts it.
    pub async fn announce(&self, context: &Context, owner: &Owner) {
        for transition in &self.transitions {
            context.metrics.key_changed(&owner.namespace, &owner.name, transition.reason.as_str());
        }
        tell(context, owner, &self.notices).await;
    }
}

async fn tell(context: &Context, owner: &Owner, notices: &[Notice]) {
    let about = context.reference(owner);
    for Notice { reason, note } in notices {
        tracing::info!(namespace = owner.namespace, issuer = owner.name, reason = reason.as_str(), "{note}");
        context.events.tell_as(&about, reason.as_str(), reason.tone(), "RotateKeys", note).await;
    }
}

/// What is said of keys of which nobody can read what was reported.
#[must_use]
pub fn unreported(error: serde_json::Error) -> Finding {
    report::undecided(Category::Invalid, failure::chain(&UndeclaredError::Unreported(error)))
}

/// Looks after the keys of an issuer, of which `status` was reported last.
pub async fn keep(
    context: &Context,
    issuer: &Tolerant<VouchIssuer>,
    status: &VouchIssuerStatus,
    owner: &Owner,
    now: Timestamp,
) -> Kept {
    let declared = match Declared::of(issuer) {
        Ok(declared) => declared,
        Err(error) => return Kept::failed(status, error.into()),
    };
    for _ in 0..ATTEMPTS {
        match attempt(context, declared.clone(), owner, now).await {
            Ok(Some(kept)) => return kept,
            Ok(None) => {}
            Err(error) => return Kept::failed(status, error),
        }
    }
    Kept::failed(status, KeysError::Contended(owner.name.clone()))
}

/// One try; nothing when somebody else was faster.
async fn attempt(
    context: &Context,
    mut declared: Declared,
    owner: &Owner,
    now: Timestamp,
) -> Result<Option<Kept>, KeysError> {
    let observed = observe::gather(&context.reader, owner, &declared.url).await?;
    let mut plan = plan::plan(observed.keys.as_ref(), &declared, now);
    if matches!(plan, KeyPlan::Write(_)) {
        // What a watch has shown may be old: nothing is made or ordered by it.
        declared = read_again(context, owner).await?;
        plan = plan::plan(observed.keys.as_ref(), &declared, now);
    }
    tracing::debug!(namespace = owner.namespace, issuer = owner.name, "signing keys: {plan}");
    let root = plan::plan_root(&observed.root, &declared);
    let needed = root == RootPlan::Make && !matches!(plan, KeyPlan::Stand(_));
    // A root secret that cannot be made holds up pods that start, and no rotation.
    let without_root = match needed {
        false => None,
        true => match make_root(context, owner, &declared).await {
            Ok(true) => None,
            Ok(false) => return Ok(None),
            Err(error) => Some(error),
        },
    };
    let of_root = match root {
        RootPlan::Stand(fault) => Some(fault),
        RootPlan::Keep | RootPlan::Make => None,
    };
    let (keys, origin) = match plan {
        KeyPlan::Stand(fault) => return Ok(Some(Kept::faulty(&declared.status, &fault.and(of_root.as_ref())))),
        KeyPlan::Keep(keys) => (keys, adopted(&declared)),
        KeyPlan::Write(work) => {
            let origin = made(&work).or_else(|| adopted(&declared));
            let Changed { keys, notices } = compute(work, declared.policy.clone(), now).await?;
            let before = observed.keys.map(|secret| secret.rest);
            if apply::store(&context.held, owner, &declared.url, before, &keys).await? == Outcome::Raced {
                return Ok(None);
            }
            tell(context, owner, &notices).await;
            (keys, origin)
        }
    };
    Ok(Some(Kept::of(&keys, origin, of_root, &declared, now).although(without_root)))
}

/// What the issuer declares now.
async fn read_again(context: &Context, owner: &Owner) -> Result<Declared, KeysError> {
    let api: Api<Tolerant<VouchIssuer>> = Api::namespaced(context.reader.clone(), &owner.namespace);
    let object = || format!("VouchIssuer {}", owner.name);
    let found = api.get_opt(&owner.name).await;
    let found = found.map_err(|source| KeysError::Api { verb: "read", object: object(), source })?;
    let same = found.filter(|issuer| {
        let metadata = issuer.meta();
        metadata.uid.as_ref() == Some(&owner.uid) && metadata.deletion_timestamp.is_none()
    });
    let declared = same.map(|issuer| Declared::of(&issuer)).transpose()?;
    declared.filter(|declared| !declared.paused).ok_or_else(|| KeysError::Outdated(owner.name.clone()))
}

/// Makes the root secret; false when somebody else did.
async fn make_root(context: &Context, owner: &Owner, declared: &Declared) -> Result<bool, KeysError> {
    let written = apply::make_root(&context.held, owner, &declared.url).await? == Outcome::Written;
    if written && declared.initialized_at().is_some() {
        let note = format!("Secret {} was gone and is new: pending invites are void", root_secret::name(&owner.name));
        tell(context, owner, &[Notice::new(Reason::RootSecretReplaced, note)]).await;
    }
    Ok(written)
}

/// Does the work of a plan away from everything else: a new RSA key takes up to a second of computing.
async fn compute(work: Work, policy: KeyPolicy, now: Timestamp) -> Result<Changed, KeysError> {
    let computed = tokio::task::spawn_blocking(move || {
        let context = ChangeContext { policy: &policy, generator: &SystemKeyGenerator, now };
        change::carry_out(work, &context)
    });
    Ok(computed.await??)
}

/// What people are told of keys that this issuer did not have before.
fn adopted(declared: &Declared) -> Option<Notice> {
    let secret = signing_keys::name(&declared.name);
    let note = format!("The keys in Secret {secret} sign for this issuer from now on");
    declared.initialized_at().is_none().then(|| Notice::new(Reason::KeysAdopted, note))
}

fn made(work: &Work) -> Option<Notice> {
    match work {
        Work::Make { given_up: false, .. } => Some(Notice::new(Reason::KeysCreated, "Signing keys were made")),
        Work::Make { given_up: true, .. } => {
            let note = "New signing keys were made in the place of those that were given up: every session is over, and \
                        AWS refuses tokens until it has read the new keys";
            Some(Notice::new(Reason::KeysRecreated, note))
        }
        Work::Change { .. } => None,
    }
}

/// The issuer whose Secret has changed or is gone.
#[must_use]
pub fn issuer_of(secret: &PartialObjectMeta<Secret>) -> Option<ObjectRef<Tolerant<VouchIssuer>>> {
    let name = secret.metadata.labels.as_ref()?.get(label::INSTANCE)?;
    Some(ObjectRef::new(name).within(secret.metadata.namespace.as_deref()?))
}
