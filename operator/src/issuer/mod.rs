//! The controller of `VouchIssuer`: `validate → keys → gather → build → apply → status`.
//!
//! Nothing that is wrong with another object, or that cannot be read of one, keeps signing keys from being rotated and
//! revoked, or hides what became of them. Every decision is in a function of values; this file only puts them in their order. It never deletes a Secret, and
//! never touches an object that is not of the `VouchIssuer` in question.

pub mod build;
pub mod gather;
pub mod status;
#[cfg(test)]
mod tests;
pub mod validate;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Resource as _, core::DynamicObject, runtime::controller};
use serde::Deserialize;
use vouch_crds::{
    issuer::{VouchIssuer, VouchIssuerStatus},
    names::condition,
};

use self::{
    build::BuildError,
    gather::GatherError,
    status::{KeysReport, Known},
    validate::ValidIssuer,
};
use crate::{
    apply::{self, Applied, ApplyError, Foreign, Kind, Owner},
    context::Context,
    failure::{self, Category},
    keys::{self, Kept, KeysError},
    reason::Reason,
    status::{Finding, StatusError, Truth, turned},
    tolerant::{self, LET_BE, Tolerant, Unreadable},
};

/// How long an issuer that is as declared is left alone, at least.
const RESYNC: Duration = Duration::from_secs(600);
/// How soon it is looked again whether what stood in the way is gone.
const OBSTRUCTED: Duration = Duration::from_secs(60);

/// A pass that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The cluster could not be read.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// An object could not be made.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A write failed; what could be written has been, and the status tells of it.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The signing keys could not be looked after; what else could be done has been, and the status tells of it.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The status could not be written.
    #[error(transparent)]
    Status(#[from] StatusError),
}

impl ReconcileError {
    /// What helps.
    #[must_use]
    pub fn category(&self) -> Category {
        match self {
            Self::Gather(error) => Category::of(&error.source),
            Self::Keys(error) => error.category(),
            Self::Apply(ApplyError::Api { source, .. }) | Self::Status(StatusError::Api { source, .. }) => {
                Category::of(source)
            }
            Self::Build(_) | Self::Status(StatusError::Form { .. }) => Category::Invalid,
            Self::Apply(ApplyError::Foreign(_)) => Category::Transient,
        }
    }
}

/// One pass over one issuer, or over one that this version cannot read.
///
/// # Errors
/// When the cluster cannot be read or written. The next pass begins anew.
pub async fn reconcile_or_tell(
    issuer: Arc<Tolerant<VouchIssuer>>,
    context: Arc<Context>,
) -> Result<controller::Action, ReconcileError> {
    match &*issuer {
        Tolerant::Readable(readable) => reconcile(Arc::clone(readable), context).await,
        Tolerant::Unreadable(unreadable) => look_after_keys(&issuer, unreadable, &context).await,
    }
}

/// A pass over one issuer, readable or not.
struct Pass<'a> {
    context: &'a Context,
    issuer: &'a Tolerant<VouchIssuer>,
    owner: Owner,
    /// What was reported last.
    status: Option<&'a VouchIssuerStatus>,
    now: Timestamp,
}

/// What a pass came to.
struct Outcome {
    findings: Vec<Finding>,
    known: Known,
    failed: Option<ReconcileError>,
}

/// One pass over one issuer. Its keys are looked after first, and reported whatever becomes of the rest.
///
/// # Errors
/// When the cluster cannot be read or written. The next pass begins anew.
pub async fn reconcile(issuer: Arc<VouchIssuer>, context: Arc<Context>) -> Result<controller::Action, ReconcileError> {
    let object = Tolerant::Readable(Arc::clone(&issuer));
    let Some(pass) = Pass::begin(&context, &object, issuer.status.as_ref()) else {
        return Ok(controller::Action::await_change());
    };
    if issuer.spec.paused {
        return pass.rest().await;
    }
    let siblings = gather::siblings(&context.reader, &pass.owner.namespace).await;
    let verdict = siblings.map(|siblings| validate::validate(&issuer, &siblings, &context.image));
    // Before the pods, which wait for them. Keys that exist rotate and are revoked whatever is wrong with the rest.
    let kept = match pass.has_keys() || matches!(verdict, Ok(Ok(_))) {
        true => Some(pass.keep_keys().await),
        false => None,
    };
    let keys = kept.as_ref().map(|kept| kept.report.clone());
    let outcome = match verdict {
        Ok(Ok(valid)) => {
            act(&context, &issuer, &valid, keys.clone()).await.unwrap_or_else(|error| unfinished(error, keys))
        }
        Ok(Err(refusal)) => {
            let findings = status::refused(&refusal, keys.as_ref());
            let faults = vec![(refusal.reason, refusal.message)];
            Outcome { findings, known: Known { faults, keys, ..Known::default() }, failed: None }
        }
        Err(error) => unfinished(error.into(), keys),
    };
    pass.conclude(outcome, kept).await
}

/// One pass over an issuer that this version cannot read as a whole: its keys are looked after by what can be read, and
/// people are told. Nothing else is done for it.
async fn look_after_keys(
    issuer: &Tolerant<VouchIssuer>,
    unreadable: &Unreadable,
    context: &Context,
) -> Result<controller::Action, ReconcileError> {
    let (status, unreported) = match unreadable.status::<Option<VouchIssuerStatus>>() {
        Ok(status) => (status, None),
        Err(error) => (None, Some(error)),
    };
    let Some(pass) = Pass::begin(context, issuer, status.as_ref()) else {
        return Ok(controller::Action::await_change());
    };
    let paused = unreadable.spec::<Switch>().ok().map(|switch| switch.paused);
    if let Some(error) = unreported {
        context.metrics.set_ready(&pass.owner.namespace, &pass.owner.name, false);
        let keys = keys::unreported(error);
        let findings = status::unreadable(unreadable.finding(LET_BE), Some(keys), paused);
        tolerant::report(context, issuer, unreadable, &findings).await?;
        return Ok(pass.again(&Known::default()));
    }
    let kept = match pass.has_keys() && paused != Some(true) {
        true => Some(pass.keep_keys().await),
        false => None,
    };
    let keys = kept.as_ref().map(|kept| kept.report.clone());
    let treatment = if keys.is_some() { "leaves it alone but for its signing keys (see KeysReady)" } else { LET_BE };
    let findings =
        status::unreadable(unreadable.finding(treatment), keys.as_ref().map(|keys| keys.finding.clone()), paused);
    pass.conclude(Outcome { findings, known: Known { keys, ..Known::default() }, failed: None }, kept).await
}

/// What can be read of nearly every declaration. An API server has filled it in.
#[derive(Deserialize)]
struct Switch {
    paused: bool,
}

impl<'a> Pass<'a> {
    /// Begins, unless the issuer is being deleted: its objects go with it; its Secrets stay.
    fn begin(
        context: &'a Context,
        issuer: &'a Tolerant<VouchIssuer>,
        status: Option<&'a VouchIssuerStatus>,
    ) -> Option<Self> {
        let owner = Owner::of(issuer.meta());
        if issuer.meta().deletion_timestamp.is_some() {
            context.metrics.forget(&owner.namespace, &owner.name);
            return None;
        }
        Some(Self { context, issuer, owner, status, now: (context.now)() })
    }

    fn has_keys(&self) -> bool {
        self.status.is_some_and(|status| status.keys_initialized_at.is_some())
    }

    async fn keep_keys(&self) -> Kept {
        let status = self.status.cloned().unwrap_or_default();
        keys::keep(self.context, self.issuer, &status, &self.owner, self.now).await
    }

    /// Leaves everything as it is. It is looked again now and then, so that an issuer is forgotten whose deletion no watch
    /// has shown.
    async fn rest(&self) -> Result<controller::Action, ReconcileError> {
        let next = self.status.and_then(|status| status.next_rotation.as_ref()).map(|at| at.0);
        self.context.metrics.set_next_rotation(&self.owner.namespace, &self.owner.name, next);
        self.report(&status::paused(self.status), None).await?;
        Ok(self.again(&Known::default()))
    }

    async fn conclude(&self, outcome: Outcome, kept: Option<Kept>) -> Result<controller::Action, ReconcileError> {
        if let Some(kept) = &kept {
            kept.measure(self.context, &self.owner);
        }
        self.report(&outcome.findings, Some(&outcome.known)).await?;
        let mut failed = outcome.failed;
        if let Some(kept) = kept {
            kept.announce(self.context, &self.owner).await;
            failed = kept.failed.map(ReconcileError::from).or(failed);
        }
        failed.map_or_else(|| Ok(self.again(&outcome.known)), Err)
    }

    fn again(&self, known: &Known) -> controller::Action {
        controller::Action::requeue(next_pass(known, self.now, (self.context.jitter)()))
    }

    /// Writes the status, and tells of what has turned.
    async fn report(&self, findings: &[Finding], known: Option<&Known>) -> Result<(), ReconcileError> {
        let Self { context, issuer, owner, status: previous, now } = self;
        let next = status::status(*previous, issuer.meta().generation, findings, known, *now);
        crate::status::write(&context.held, *issuer, *previous, &next).await?;
        let before = previous.map(|status| status.conditions.as_slice()).unwrap_or_default();
        for finding in
            findings.iter().filter(|finding| finding.kind == condition::READY || finding.kind == condition::PAUSED)
        {
            let says_nothing = finding.kind == condition::PAUSED
                && (finding.truth == Truth::Unknown || finding.truth == Truth::False && before.is_empty());
            if turned(before, finding) && !says_nothing {
                context.events.tell(*issuer, finding.reason, "Reconcile", &finding.message).await;
            }
            if finding.kind == condition::READY {
                context.metrics.set_ready(&owner.namespace, &owner.name, finding.truth == Truth::True);
            }
        }
        Ok(())
    }
}

/// A pass that cannot find out how things stand.
fn unfinished(error: ReconcileError, keys: Option<KeysReport>) -> Outcome {
    let cut_short = matches!(&error, ReconcileError::Gather(gather) if failure::is_silence(&gather.source));
    let why = (!cut_short).then(|| failure::chain(&error));
    let findings = status::unfinished(why.as_deref(), keys.as_ref());
    Outcome { findings, known: Known { keys, ..Known::default() }, failed: Some(error) }
}

/// Brings the objects of an issuer to what they should be.
async fn act(
    context: &Context,
    issuer: &VouchIssuer,
    valid: &ValidIssuer,
    keys: Option<KeysReport>,
) -> Result<Outcome, ReconcileError> {
    let apis = context.apis.borrow().clone();
    let live = gather::live(&context.reader, valid.owner(), &apis).await?;
    let existing = live.get(&(Kind::Deployment, valid.name().to_owned())).cloned();
    let plan = apply::plan(valid.owner(), build::build(valid, &apis)?, &live);
    let foreign = plan.foreign.clone();
    let Applied { done, deployment, failed } = apply::execute(&context.held, valid.owner(), plan).await;
    if !done.is_empty() {
        let about = context.reference(valid.owner());
        let (reason, tone) = (Reason::Applied, Reason::Applied.tone());
        context.events.tell_as(&about, reason.as_str(), tone, "Apply", &done.join(", ")).await;
    }
    let is_ours = !foreign.iter().any(|foreign| foreign.kind() == Kind::Deployment);
    let deployment = deployment.or(existing).filter(|_| is_ours).and_then(typed);
    let mut faults = faults(valid, &apis, &foreign, &failed);
    let mut failed = failed.into_iter().next().map(ReconcileError::from);
    match gather::configuration(&context.reader, valid.owner(), valid.spec()).await {
        Ok(others) => {
            let refusal = validate::is_taken_by_pods(issuer, others).err();
            faults.extend(refusal.map(|refusal| (refusal.reason, refusal.message)));
        }
        Err(error) => {
            faults.push((Reason::NotApplied, failure::chain(&error)));
            failed = failed.or(Some(error.into()));
        }
    }
    let known = Known { faults, deployment, keys };
    Ok(Outcome { findings: status::findings(&known), known, failed })
}

/// What people must read first: what they can do something about.
fn faults(
    valid: &ValidIssuer,
    apis: &apply::OptionalApis,
    foreign: &[Foreign],
    failed: &[ApplyError],
) -> Vec<(Reason, String)> {
    let exposure = &valid.spec().exposure;
    let wants_certificate = exposure.tls.as_ref().is_some_and(|tls| tls.cert_manager.is_some());
    let wanted = [
        (wants_certificate, Kind::Certificate, "spec.exposure.tls.certManager needs cert-manager"),
        (exposure.gateway.is_some(), Kind::HttpRoute, "spec.exposure.gateway needs the Gateway API"),
    ];
    let missing = wanted
        .into_iter()
        .filter(|(wanted, kind, _)| *wanted && !apis.serves(*kind))
        .map(|(_, kind, message)| (Reason::ApiMissing, format!("{message}: the cluster serves no {}.", kind)));
    let foreign = foreign.iter().map(|foreign| (Reason::ForeignObject, foreign.to_string()));
    let failed = failed.iter().map(|error| match error {
        ApplyError::Foreign(foreign) => (Reason::ForeignObject, foreign.to_string()),
        ApplyError::Api { source, .. } => {
            let reason = if Category::of(source) == Category::Invalid { Reason::Invalid } else { Reason::NotApplied };
            (reason, failure::chain(error))
        }
    });
    foreign.chain(failed).chain(missing).collect()
}

/// When to look again although nothing has changed: at the next transition of a key, or soon when something stands in the
/// way.
fn next_pass(known: &Known, now: Timestamp, jitter: f64) -> Duration {
    let usual = if known.faults.is_empty() { RESYNC } else { OBSTRUCTED };
    let usual = usual.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 2.0);
    let transition = known.keys.as_ref().and_then(|keys| keys.next_transition);
    let until = transition.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
    until.map_or(usual, |until| until.min(usual))
}

fn typed(object: DynamicObject) -> Option<Deployment> {
    object.try_parse().ok()
}
