//! What to do about the objects of an issuer, as a value.

use std::{collections::BTreeMap, fmt};

use kube::core::DynamicObject;
use serde_json::Value;

use super::{
    desired::{Desired, Owner},
    kind::Kind,
    ownership::{self, Whose},
};

/// The objects that exist, of all that could be wanted, by kind and name.
pub type Live = BTreeMap<(Kind, String), DynamicObject>;

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Make an object that does not exist. Nothing that came into being meanwhile is overwritten.
    Create(Desired),
    /// Bring an object that is ours to what it should be.
    Update {
        /// What it should be.
        desired: Desired,
        /// Which one is meant: one that was made again is another.
        uid: String,
        /// The number of pods as it is, when it was ours and is to be an autoscaler's from now on.
        hand_over_replicas: Option<i64>,
    },
    /// Remove an object that is ours and not wanted any more.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// Which one is meant.
        uid: String,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(desired) => write!(f, "create {} {}", desired.kind(), desired.name()),
            Self::Update { desired, .. } => write!(f, "update {} {}", desired.kind(), desired.name()),
            Self::Delete { kind, name, .. } => write!(f, "delete {kind} {name}"),
        }
    }
}

/// An object that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// Somebody else's.
    #[error("{kind} {name} exists and does not belong to this VouchIssuer; nothing of it was changed")]
    Stranger {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// Of a `VouchIssuer` that is gone.
    #[error(
        "{kind} {name} belongs to an earlier VouchIssuer of this name and is being removed; it will be made again then"
    )]
    Predecessors {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
}

impl Foreign {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Stranger { kind, .. } | Self::Predecessors { kind, .. } => *kind,
        }
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// In this order.
    pub actions: Vec<Action>,
    /// What stands in the way of more.
    pub foreign: Vec<Foreign>,
}

/// Compares what should be with what is. Nothing foreign is ever part of an action.
#[must_use]
pub fn plan(owner: &Owner, desired: Vec<Desired>, live: &Live) -> Plan {
    let mut plan = Plan::default();
    let wanted: Vec<(Kind, String)> = desired.iter().map(|object| (object.kind(), object.name().to_owned())).collect();
    for object in desired {
        let (kind, name) = (object.kind(), object.name().to_owned());
        let Some(existing) = live.get(&(kind, name.clone())) else {
            plan.actions.push(Action::Create(object));
            continue;
        };
        match ownership::whose(owner, existing) {
            Whose::Foreign => plan.foreign.push(Foreign::Stranger { kind, name }),
            Whose::Predecessors => plan.foreign.push(Foreign::Predecessors { kind, name }),
            // It comes back when it is gone: its removal is noticed.
            Whose::Ours if existing.metadata.deletion_timestamp.is_some() => {}
            Whose::Ours if ownership::is_as_applied(&object, existing) => {}
            Whose::Ours => {
                let hand_over_replicas = hand_over(&object, existing);
                let uid = existing.metadata.uid.clone().unwrap_or_default();
                plan.actions.push(Action::Update { desired: object, uid, hand_over_replicas });
            }
        }
    }
    let unwanted = live.iter().filter(|(key, object)| {
        !wanted.contains(key)
            && object.metadata.deletion_timestamp.is_none()
            && ownership::whose(owner, object) == Whose::Ours
    });
    plan.actions.extend(unwanted.map(|((kind, name), object)| Action::Delete {
        kind: *kind,
        name: name.clone(),
        uid: object.metadata.uid.clone().unwrap_or_default(),
    }));
    plan
}

/// A field that its only manager stops applying falls back to its default: a Deployment would shrink to one pod at the
/// moment in which its autoscaler is declared.
fn hand_over(desired: &Desired, live: &DynamicObject) -> Option<i64> {
    let gives_up = desired.kind() == Kind::Deployment && desired.body().pointer("/spec/replicas").is_none();
    let fields = ownership::applied_fields(live)?;
    if !gives_up || !ownership::owns_path(fields, &["spec", "replicas"]) {
        return None;
    }
    live.data.pointer("/spec/replicas").and_then(Value::as_i64)
}
