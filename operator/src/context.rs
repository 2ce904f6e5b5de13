//! What every controller works with.

use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use tokio::sync::watch;
use vouch_crds::API_VERSION;

use crate::{
    api::outage::Outage,
    apply::{OptionalApis, Owner},
    events::Events,
    failure::Retries,
    lease::LeaseHeld,
    metrics::Metrics,
};

/// What every controller works with. It reads through `reader` and writes through `held`.
pub struct Context {
    /// Reads and watches; refuses to write.
    pub reader: Client,
    /// The proof that this process may write, and the client to write with.
    pub held: LeaseHeld,
    /// What people are told.
    pub events: Events,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether the API server is away.
    pub outage: Arc<Outage>,
    /// The optional APIs that the cluster serves.
    pub apis: watch::Receiver<OptionalApis>,
    /// Failures in a row, by kind, namespace and name.
    pub retries: Retries<(&'static str, String, String)>,
    /// What pods run when a declaration does not say.
    pub image: String,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// From 0 to 1, at random.
    pub jitter: fn() -> f64,
}

impl Context {
    /// How an event names the `VouchIssuer` that it is about.
    #[must_use]
    pub fn reference(&self, owner: &Owner) -> ObjectReference {
        ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some("VouchIssuer".to_owned()),
            name: Some(owner.name.clone()),
            namespace: Some(owner.namespace.clone()),
            uid: Some(owner.uid.clone()),
            ..ObjectReference::default()
        }
    }
}

/// A number from 0 to 1, at random; 0 when the machine has no randomness to give.
#[must_use]
pub fn jitter() -> f64 {
    let mut bytes = [0_u8; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.0,
    }
}
