//! What is wrong, and what to do about it. Pure.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde::Serialize;
use vouch_crds::{issuer::VouchIssuer, names::condition};

use super::{
    gather::{Failing, Gathered, is_ready},
    operator,
};
use crate::{
    lease,
    reason::{Reason, Tone},
    status::find,
};

/// How long the operator may take for its first look.
const FIRST_LOOK: SignedDuration = SignedDuration::from_secs(15);
/// How long a pod may take to begin: as long as a node takes to fetch the image, and a few tries.
const BEGINNING: SignedDuration = SignedDuration::from_secs(60);
/// How many objects with one fault are named.
const NAMED: usize = 3;

/// Something that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `VouchIssuer vouch`, for example.
    pub object: String,
    /// In one word, as in conditions.
    pub reason: String,
    /// What is so.
    pub message: String,
    /// What to do; absent when it passes by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether somebody must look.
    pub wrong: bool,
}

/// One line, and another one with what to do.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, reason, message, next, wrong } = self;
        let mark = if *wrong { "✗" } else { "·" };
        let colon = if message.is_empty() { "" } else { ": " };
        writeln!(f, "{mark} {object}: {reason}{colon}{message}")?;
        next.as_ref().map_or(Ok(()), |next| writeln!(f, "→ {next}"))
    }
}

/// Everything that somebody should know, the worst first.
pub(super) fn findings(gathered: &Gathered, now: Timestamp) -> Vec<Finding> {
    let absence = gathered.operators.as_deref().and_then(|leases| operator::absence(leases, now));
    let mut findings: Vec<Finding> = absence.into_iter().collect();
    for issuer in &gathered.issuers {
        findings.extend(of_issuer(issuer, &gathered.namespace, now));
        findings.extend(gathered.pods_of(&issuer.name_any()).filter_map(|pod| of_pod(pod, &gathered.namespace, now)));
    }
    let people = gathered.people.iter().flat_map(|people| together("VouchUser", &people.failing));
    let clients = gathered.clients.iter().flat_map(|clients| together("OidcClient", &clients.failing));
    findings.extend(people.chain(clients));
    findings.sort_by_key(|finding| !finding.wrong);
    findings
}

fn of_issuer(issuer: &VouchIssuer, namespace: &str, now: Timestamp) -> Vec<Finding> {
    let name = issuer.name_any();
    let object = format!("VouchIssuer {name}");
    let status = issuer.status.clone().unwrap_or_default();
    if status.conditions.is_empty() {
        let age = issuer.creation_timestamp().map(|at| now.duration_since(at.0)).unwrap_or_default();
        return vec![unseen(object, "The operator has not looked at it yet.", age > FIRST_LOOK)];
    }
    let mut findings: Vec<Finding> = Vec::new();
    use condition::{AVAILABLE, KEYS_READY, PAUSED, PROGRESSING, READY};
    for kind in [PAUSED, KEYS_READY, AVAILABLE, PROGRESSING, READY] {
        let found = find(&status.conditions, kind).filter(|found| match kind {
            PAUSED => found.status != "False",
            // A rollout that goes on is as it should be, and so is one that is over.
            PROGRESSING => found.reason == Reason::RolloutStuck.as_str(),
            _ => found.status != "True",
        });
        // `Ready` repeats the first condition that fails; pods that are refused are few, and their rollout is stuck.
        let new = found.filter(|found| !findings.iter().any(|known| known.message == found.message));
        findings.extend(new.map(|found| finding(object.clone(), &found.reason, &found.message, &name, namespace)));
    }
    if status.observed_generation < issuer.metadata.generation {
        findings.push(unseen(object, "The operator has not looked at the last change yet.", false));
    }
    findings
}

fn unseen(object: String, message: &str, wrong: bool) -> Finding {
    let next = format!(
        "Wait a moment. If it stays so, see whether the operator runs, and acts in this namespace: {}",
        lease::SHOWN_BY
    );
    Finding { object, reason: "NotObserved".to_owned(), message: message.to_owned(), next: Some(next), wrong }
}

/// A condition with what its reason tells to do.
fn finding(object: String, reason: &str, message: &str, name: &str, namespace: &str) -> Finding {
    let known = Reason::ALL.iter().find(|known| known.as_str() == reason);
    let cure = known.map(|known| known.cure()).filter(|cure| !cure.starts_with("Nothing"));
    Finding {
        object,
        reason: reason.to_owned(),
        message: message.to_owned(),
        next: cure.map(|cure| {
            cure.replace("-n NAMESPACE", &format!("-n {namespace}"))
                .replace("instance=NAME", &format!("instance={name}"))
        }),
        wrong: known.is_none_or(|known| known.tone() == Tone::Warning),
    }
}

/// What keeps a pod from serving, where the pod knows.
fn of_pod(pod: &Pod, namespace: &str, now: Timestamp) -> Option<Finding> {
    let status = pod.status.as_ref().filter(|_| !is_ready(pod) && pod.metadata.deletion_timestamp.is_none())?;
    let name = pod.name_any();
    let waiting = status.container_statuses.iter().flatten().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        Some((waiting.reason.clone()?, waiting.message.clone().unwrap_or_default()))
    });
    let unscheduled = status.conditions.iter().flatten().find_map(|found| {
        let failing = found.type_ == "PodScheduled" && found.status == "False";
        failing.then(|| (found.reason.clone().unwrap_or_default(), found.message.clone().unwrap_or_default()))
    });
    let (reason, mut message) = waiting.or(unscheduled)?;
    // Every pod begins like this, and one whose Secret is missing stays so.
    if ["ContainerCreating", "PodInitializing"].contains(&reason.as_str()) {
        let age = pod.creation_timestamp().map(|at| now.duration_since(at.0)).unwrap_or_default();
        if age <= BEGINNING {
            return None;
        }
        message =
            "It does not begin; a Secret that it needs, such as that of its certificate, may be missing.".to_owned();
    }
    let next = if reason == "CrashLoopBackOff" {
        format!("kubectl logs {name} -n {namespace} --previous")
    } else {
        format!("kubectl describe pod {name} -n {namespace}")
    };
    Some(Finding { object: format!("Pod {name}"), reason, message, next: Some(next), wrong: true })
}

/// One finding for all objects with one fault.
fn together(kind: &str, failing: &[Failing]) -> Vec<Finding> {
    let mut reasons: Vec<&str> = failing.iter().map(|object| object.reason.as_str()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let one = |reason| {
        let alike: Vec<&Failing> = failing.iter().filter(|object| object.reason == reason).collect();
        let names: Vec<&str> = alike.iter().map(|object| object.name.as_str()).collect();
        let message = alike.first().map(|object| object.message.as_str()).unwrap_or_default();
        finding(format!("{kind} {}", some(&names)), reason, message, "", "")
    };
    reasons.into_iter().map(one).collect()
}

/// The first few of many names.
pub(super) fn some(names: &[&str]) -> String {
    let told: Vec<&str> = names.iter().take(NAMED).copied().collect();
    let more = names.len().saturating_sub(told.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", told.join(", "))
}
