//! Events: what people see with `kubectl describe`. They are told at a transition, never at every pass, and they are
//! never needed: a failure to write one is logged and forgotten.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Resource,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use vouch_crds::names;

use crate::{
    failure,
    lease::LeaseHeld,
    reason::{Reason, Tone},
};

/// The longest note that an API server takes.
const NOTE_LENGTH: usize = 1024;

/// Writes events, while the lease is held.
#[derive(Clone)]
pub struct Events(Recorder);

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Events by this replica.
    #[must_use]
    pub fn new(held: &LeaseHeld, identity: &str) -> Self {
        let reporter = Reporter { controller: names::OPERATOR.to_owned(), instance: Some(identity.to_owned()) };
        Self(Recorder::new(held.client(), reporter))
    }

    /// Tells of something that has happened to an object. `action` is what the operator was doing, in one word.
    pub async fn tell<K: Resource<DynamicType = ()>>(&self, object: &K, reason: Reason, action: &str, note: &str) {
        self.tell_as(&object.object_ref(&()), reason.as_str(), reason.tone(), action, note).await;
    }

    /// Tells with a reason that is not a condition's, such as a transition of a key.
    pub async fn tell_as(&self, about: &ObjectReference, reason: &str, tone: Tone, action: &str, note: &str) {
        let event = Event {
            type_: match tone {
                Tone::Normal => EventType::Normal,
                Tone::Warning => EventType::Warning,
            },
            reason: reason.to_owned(),
            note: Some(note.chars().take(NOTE_LENGTH).collect()),
            action: action.to_owned(),
            secondary: None,
        };
        if let Err(error) = self.0.publish(&event, about).await {
            tracing::warn!(reason, "an event was not written: {}", failure::chain(&error));
        }
    }
}
