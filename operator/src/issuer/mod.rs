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
    keys::{self, KeysError},
    reason::Reason,
    status::{Finding, StatusError, Truth, turned},
    tolerant::{self, Tolerant},
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

/// One pass over one issuer, or over one that this version cannot read: it is not ready, and people are told.
///
/// # Errors
/// Those of [`reconcile`], or when the condition cannot be written.
pub async fn reconcile_or_tell(
    issuer: Arc<Tolerant<VouchIssuer>>,
    context: Arc<Context>,
) -> Result<controller::Action, ReconcileError> {
    if let Tolerant::Unreadable(_) = &*issuer {
        let Owner { name, namespace, .. } = Owner::of(issuer.meta());
        context.metrics.set_ready(&namespace, &name, false);
    }
    tolerant::reconcile(issuer, context, reconcile).await
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
    let owner = Owner::of(&issuer.metadata);
    let now = (context.now)();
    if issuer.metadata.deletion_timestamp.is_some() {
        // Its objects go with it; its Secrets stay.
        context.metrics.forget(&owner.namespace, &owner.name);
        return Ok(controller::Action::await_change());
    }
    let status = issuer.status.as_ref();
    if issuer.spec.paused {
        let next = status.and_then(|status| status.next_rotation.as_ref()).map(|at| at.0);
        context.metrics.set_next_rotation(&owner.namespace, &owner.name, next);
        report(&context, &issuer, &status::paused(status), None, now).await?;
        return Ok(controller::Action::await_change());
    }
    let siblings = gather::siblings(&context.reader, &owner.namespace).await;
    let verdict = siblings.map(|siblings| validate::validate(&issuer, &siblings, &context.image));
    // Before the pods, which wait for them. Keys that exist rotate and are revoked whatever is wrong with the rest.
    let has_keys = status.is_some_and(|status| status.keys_initialized_at.is_some());
    let kept = match has_keys || matches!(verdict, Ok(Ok(_))) {
        true => Some(keys::keep(&context, &issuer, &owner, now).await),
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
    if let Some(kept) = &kept {
        kept.measure(&context, &owner);
    }
    report(&context, &issuer, &outcome.findings, Some(&outcome.known), now).await?;
    let mut failed = outcome.failed;
    if let Some(kept) = kept {
        kept.announce(&context, &owner).await;
        failed = kept.failed.map(ReconcileError::from).or(failed);
    }
    let next = controller::Action::requeue(next_pass(&outcome.known, now, (context.jitter)()));
    failed.map_or(Ok(next), Err)
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
        ApplyError::Api { .. } => (Reason::NotApplied, failure::chain(error)),
    });
    foreign.chain(failed).chain(missing).collect()
}

/// Writes the status, and tells of what has turned.
async fn report(
    context: &Context,
    issuer: &VouchIssuer,
    findings: &[Finding],
    known: Option<&Known>,
    now: Timestamp,
) -> Result<(), ReconcileError> {
    let previous = issuer.status.as_ref();
    let next: VouchIssuerStatus = status::status(issuer, findings, known, now);
    crate::status::write(&context.held, issuer, previous, &next).await?;
    let before = previous.map(|status| status.conditions.as_slice()).unwrap_or_default();
    for finding in
        findings.iter().filter(|finding| finding.kind == condition::READY || finding.kind == condition::PAUSED)
    {
        let initially_off = finding.truth == Truth::False && finding.kind == condition::PAUSED && before.is_empty();
        if turned(before, finding) && !initially_off {
            context.events.tell(issuer, finding.reason, "Reconcile", &finding.message).await;
        }
        if finding.kind == condition::READY {
            let (namespace, name) = (issuer.metadata.namespace.as_deref(), issuer.metadata.name.as_deref());
            let ready = finding.truth == Truth::True;
            context.metrics.set_ready(namespace.unwrap_or_default(), name.unwrap_or_default(), ready);
        }
    }
    Ok(())
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
