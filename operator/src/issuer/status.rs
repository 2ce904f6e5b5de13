//! What is reported of an issuer, from what is known after a pass.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt as _;
use vouch_crds::{
    issuer::{KeyStatus, VouchIssuerStatus},
    names::{condition, label},
};

use super::validate::Refusal;
use crate::{
    keys::report::moment,
    reason::Reason,
    status::{Finding, Truth, find, merge},
};

/// What became of the signing keys in a pass.
#[derive(Debug, Clone, PartialEq)]
pub struct KeysReport {
    /// `KeysReady`.
    pub finding: Finding,
    /// The id of the key that signs ES256 tokens.
    pub active_key: Option<String>,
    /// When the next key begins to sign.
    pub next_rotation: Option<Time>,
    /// When keys were first made, or made again by order.
    pub initialized_at: Option<Time>,
    /// Every published or revoked key, the oldest first.
    pub keys: Vec<KeyStatus>,
    /// The orders that have been carried out or refused: by annotation, the value that was the order.
    pub handled_orders: BTreeMap<String, String>,
    /// Whether the keys could be read in this pass.
    pub readable: bool,
    /// When the planner has something to do next.
    pub next_transition: Option<Timestamp>,
}

/// What is known of an issuer after a pass that acted.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Why a part could not be done: the first is what people read.
    pub faults: Vec<(Reason, String)>,
    /// The pods, when there is a Deployment.
    pub deployment: Option<Deployment>,
    /// What became of the signing keys.
    pub keys: Option<KeysReport>,
}

/// The conditions of a pass that acted, `Ready` first: it copies the first that is not as it should be.
#[must_use]
pub fn findings(known: &Known) -> Vec<Finding> {
    let pods = Pods::of(known.deployment.as_ref());
    let (available, progressing) = (pods.available(), pods.progressing());
    let keys = known.keys.as_ref().map(|keys| keys.finding.clone());
    let fault = known.faults.first().map(|(reason, message)| (*reason, message.clone()));
    let failing = [keys.as_ref(), Some(&available)].into_iter().flatten().find(|finding| finding.truth != Truth::True);
    let ready = match (fault, failing) {
        (Some((reason, message)), _) => Finding::new(condition::READY, false, reason, message),
        (None, Some(failing)) => Finding { kind: condition::READY, ..failing.clone() },
        (None, None) if progressing.reason != Reason::AsDeclared => {
            Finding { kind: condition::READY, ..progressing.clone() }
        }
        (None, None) => Finding::new(condition::READY, true, Reason::AsDeclared, "Everything is as declared."),
    };
    [Some(ready), keys, Some(available), Some(progressing), Some(running())].into_iter().flatten().collect()
}

/// The conditions of an issuer for whose objects nothing is done. Its keys are looked after when it has any.
#[must_use]
pub fn refused(refusal: &Refusal, keys: Option<&KeysReport>) -> Vec<Finding> {
    let ready = Finding::new(condition::READY, false, refusal.reason, refusal.message.clone());
    [Some(ready), keys.map(|keys| keys.finding.clone()), Some(running())].into_iter().flatten().collect()
}

/// The conditions after a pass that could not find out how things stand, and `why`; without that it was cut short, and what was
/// true before may well be. A fault of the keys is known all the same.
#[must_use]
pub fn unfinished(why: Option<&str>, keys: Option<&KeysReport>) -> Vec<Finding> {
    let keys = keys.map(|keys| keys.finding.clone());
    let fault = keys.clone().filter(|keys| keys.truth == Truth::False);
    let ready = fault.map(|fault| Finding { kind: condition::READY, ..fault });
    let unknown = why.map(|why| Finding::new(condition::READY, Truth::Unknown, Reason::NotApplied, why));
    [ready.or(unknown), keys, why.map(|_| running())].into_iter().flatten().collect()
}

/// The conditions of an issuer that this version cannot read, of which `ready` says so. `paused` is not known when that
/// cannot be read either.
#[must_use]
pub fn unreadable(ready: Finding, keys: Option<Finding>, paused: Option<bool>) -> Vec<Finding> {
    let pause = match paused {
        Some(true) => resting(),
        Some(false) => running(),
        None => Finding { kind: condition::PAUSED, truth: Truth::Unknown, ..ready.clone() },
    };
    [Some(ready), keys, Some(pause)].into_iter().flatten().collect()
}

fn running() -> Finding {
    Finding::new(condition::PAUSED, false, Reason::Running, "")
}

fn resting() -> Finding {
    let said = "spec.paused is true: nothing is changed, and signing keys do not rotate.";
    Finding::new(condition::PAUSED, true, Reason::Paused, said)
}

/// The conditions of an issuer that is left as it is.
#[must_use]
pub fn paused(previous: Option<&VouchIssuerStatus>) -> Vec<Finding> {
    let mut findings = vec![resting()];
    if previous.is_none_or(|status| find(&status.conditions, condition::READY).is_none()) {
        findings.push(Finding { kind: condition::READY, truth: Truth::Unknown, ..resting() });
    }
    findings
}

/// The whole status. What is not known stays as it was.
#[must_use]
pub fn status(
    previous: Option<&VouchIssuerStatus>,
    generation: Option<i64>,
    findings: &[Finding],
    known: Option<&Known>,
    now: Timestamp,
) -> VouchIssuerStatus {
    let mut status = previous.cloned().unwrap_or_default();
    status.conditions = merge(&status.conditions, findings, generation, now);
    // A pass that was cut short has nothing to say of the declaration as it is now, not even whether it is paused.
    if findings.iter().any(|finding| finding.kind == condition::PAUSED) {
        status.observed_generation = generation;
    }
    let Some(known) = known else { return status };
    if let Some(deployment) = &known.deployment {
        let pods = Pods::of(Some(deployment));
        status.replicas = Some(format!("{}/{}", pods.available, pods.wanted));
    }
    if let Some(keys) = &known.keys {
        status.active_key.clone_from(&keys.active_key);
        status.next_rotation.clone_from(&keys.next_rotation);
        status.keys_initialized_at.clone_from(&keys.initialized_at);
        status.keys.clone_from(&keys.keys);
        status.handled_orders.clone_from(&keys.handled_orders);
    }
    status
}

/// What a Deployment tells of its pods.
#[derive(Default)]
struct Pods {
    available: i32,
    wanted: i32,
    exists: bool,
    /// As many as may be missing during a rollout, at most, are missing.
    enough: bool,
    /// Every pod is of the newest version and serves.
    settled: bool,
    /// The newest version has not been running completely yet.
    new: bool,
    /// The newest version does not come up.
    stuck: bool,
    /// That the API server refuses pods, and what it said.
    refusal: Option<String>,
}

impl Pods {
    fn of(deployment: Option<&Deployment>) -> Self {
        let Some(deployment) = deployment else { return Self::default() };
        let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let status = deployment.status.clone().unwrap_or_default();
        let available = status.available_replicas.unwrap_or_default();
        let updated = status.updated_replicas.unwrap_or_default();
        let all = status.replicas.unwrap_or_default();
        let seen = status.observed_generation >= deployment.metadata.generation;
        let progress = condition_of(&status, "Progressing");
        let refusal = condition_of(&status, "ReplicaFailure").filter(|found| found.status == "True");
        let refusal = refusal.map(|found| refusal_of(deployment, found));
        Self {
            available,
            wanted,
            exists: true,
            // Without a pod nobody is served, whatever is wanted.
            enough: condition_of(&status, "Available").is_some_and(|found| found.status == "True") && available > 0,
            settled: seen && updated == wanted && all == wanted && available >= wanted,
            new: !seen || progress.is_none_or(|found| found.reason.as_deref() != Some("NewReplicaSetAvailable")),
            stuck: progress.is_some_and(|found| found.status == "False") || refusal.is_some(),
            refusal,
        }
    }

    fn message(&self) -> String {
        if !self.exists {
            return "There is no Deployment yet.".to_owned();
        }
        let refusal = self.refusal.as_ref().map(|refusal| format!(" {refusal}")).unwrap_or_default();
        format!("{} of {} pods serve.{refusal}", self.available, self.wanted)
    }

    fn available(&self) -> Finding {
        let reason = match (self.enough, self.new && !self.stuck) {
            (true, _) => Reason::AsDeclared,
            (false, true) => Reason::RollingOut,
            (false, false) => Reason::TooFewPods,
        };
        Finding::new(condition::AVAILABLE, self.enough, reason, self.message())
    }

    fn progressing(&self) -> Finding {
        if self.settled {
            Finding::new(condition::PROGRESSING, false, Reason::AsDeclared, self.message())
        } else if self.stuck {
            let newest = if self.refusal.is_some() { "" } else { " The newest ones do not become ready." };
            let message = format!("{}{newest}", self.message());
            Finding::new(condition::PROGRESSING, false, Reason::RolloutStuck, message)
        } else {
            Finding::new(condition::PROGRESSING, true, Reason::RollingOut, self.message())
        }
    }
}

/// The refusal of a pod, in the words of the API server: of a quota, of a PriorityClass that is not there. A ReplicaSet and its
/// Deployment keep the words of the first while others follow, so they stand with their moment and with the way to the newest.
fn refusal_of(deployment: &Deployment, found: &DeploymentCondition) -> String {
    let since = found.last_update_time.as_ref().or(found.last_transition_time.as_ref());
    let since = since.map(|since| format!(" at {}", moment(since.0))).unwrap_or_default();
    format!(
        "The API server refused one{since}: {}. What it says now: kubectl describe replicaset -n {} -l {}={}",
        found.message.as_deref().unwrap_or_default().trim_end_matches('.'),
        deployment.namespace().unwrap_or_default(),
        label::INSTANCE,
        deployment.labels().get(label::INSTANCE).cloned().unwrap_or_default(),
    )
}

fn condition_of<'a>(status: &'a DeploymentStatus, kind: &str) -> Option<&'a DeploymentCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::needless_pass_by_value
    )]
    use serde_json::{Value, json};

    use super::*;

    /// Conditions of an issuer with that status of its Deployment, as `type status reason`.
    fn told(generation: i64, status: Value) -> Vec<String> {
        let known = Known { deployment: Some(deployment(generation, status)), ..Known::default() };
        let conditions = findings(&known).into_iter().filter(|finding| finding.kind != condition::PAUSED);
        conditions.map(|found| format!("{} {} {}", found.kind, found.truth.as_str(), found.reason)).collect()
    }

    fn deployment(generation: i64, status: Value) -> Deployment {
        let deployment = json!({
            "metadata": {
                "generation": generation, "namespace": "vouch", "labels": {"app.kubernetes.io/instance": "main"},
            },
            "spec": {"replicas": 3, "selector": {}, "template": {}}, "status": status,
        });
        serde_json::from_value(deployment).unwrap()
    }

    fn pods(updated: i32, all: i32, available: i32, progress: &str, reason: &str) -> Value {
        let enough = if available >= 3 { "True" } else { "False" };
        json!({
            "observedGeneration": 2, "updatedReplicas": updated, "replicas": all, "availableReplicas": available,
            "conditions": [
                {"type": "Available", "status": enough},
                {"type": "Progressing", "status": progress, "reason": reason},
            ],
        })
    }

    #[test]
    fn a_first_rollout_is_no_fault_until_it_is_stuck() {
        let begun = told(2, pods(1, 1, 0, "True", "ReplicaSetUpdated"));
        assert_eq!(begun, ["Ready False RollingOut", "Available False RollingOut", "Progressing True RollingOut"]);
        let stuck = told(2, pods(3, 3, 0, "False", "ProgressDeadlineExceeded"));
        assert_eq!(stuck, ["Ready False TooFewPods", "Available False TooFewPods", "Progressing False RolloutStuck"]);
        let behind = told(2, pods(1, 4, 3, "False", "ProgressDeadlineExceeded"));
        assert_eq!(behind, ["Ready False RolloutStuck", "Available True AsDeclared", "Progressing False RolloutStuck"]);
    }

    #[test]
    fn a_pod_that_the_api_server_refuses_is_told_at_once_in_its_words_with_their_moment() {
        let refused = |available: i32| {
            let mut status = pods(0, available, available, "True", "ReplicaSetUpdated");
            let why = "pods \"vouch-1\" is forbidden: exceeded quota: few";
            let failure = json!({
                "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": why,
                "lastUpdateTime": "2026-11-21T09:00:59Z", "lastTransitionTime": "2026-11-20T08:00:00Z",
            });
            status["conditions"].as_array_mut().unwrap().push(failure);
            status
        };
        let none = told(2, refused(0));
        assert_eq!(none, ["Ready False TooFewPods", "Available False TooFewPods", "Progressing False RolloutStuck"]);
        let behind = told(2, refused(3));
        assert_eq!(behind, ["Ready False RolloutStuck", "Available True AsDeclared", "Progressing False RolloutStuck"]);
        let message = Pods::of(Some(&deployment(2, refused(0)))).progressing().message;
        let expected = "0 of 3 pods serve. The API server refused one at 2026-11-21 09:00 UTC: pods \"vouch-1\" is forbidden: \
                        exceeded quota: few. What it says now: kubectl describe replicaset -n vouch -l \
                        app.kubernetes.io/instance=main";
        assert_eq!(message, expected);
    }

    #[test]
    fn a_rollout_while_pods_serve_leaves_the_issuer_ready() {
        let rolling = told(2, pods(1, 4, 3, "True", "ReplicaSetUpdated"));
        assert_eq!(rolling, ["Ready True RollingOut", "Available True AsDeclared", "Progressing True RollingOut"]);
    }

    #[test]
    fn a_declaration_that_no_controller_has_seen_is_being_rolled_out() {
        let unseen = told(3, pods(3, 3, 3, "True", "NewReplicaSetAvailable"));
        assert_eq!(unseen, ["Ready True RollingOut", "Available True AsDeclared", "Progressing True RollingOut"]);
    }

    #[test]
    fn pods_that_fall_over_after_a_rollout_are_a_fault() {
        let fallen = told(2, pods(3, 3, 0, "True", "NewReplicaSetAvailable"));
        assert_eq!(fallen[..2], ["Ready False TooFewPods", "Available False TooFewPods"]);
    }

    #[test]
    fn ready_copies_the_first_condition_that_is_not_as_it_should_be() {
        let finding = Finding::new(condition::KEYS_READY, false, Reason::Invalid, "keys");
        let keys = KeysReport {
            finding,
            active_key: None,
            next_rotation: None,
            initialized_at: None,
            keys: Vec::new(),
            handled_orders: BTreeMap::new(),
            readable: false,
            next_transition: None,
        };
        let known = Known { keys: Some(keys), ..Known::default() };
        assert_eq!(findings(&known)[0].message, "keys");
        let known = Known { faults: vec![(Reason::ForeignObject, "foreign".to_owned())], ..known };
        assert_eq!(findings(&known)[0].message, "foreign");
    }
}
