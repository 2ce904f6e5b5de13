//! The election: single decisions, their law, the proof, and whole elections with slow, lost and repeated answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod decisions;
mod elections;
mod laws;
mod proof;
mod store;

use std::time::Duration;

use http::Response;
use jiff::Timestamp;
use kube::{Client, client::Body};

use super::{
    Elector, Timing,
    elector::{Claim, Record, Refusal, Revision},
};

const WALL: Timestamp = Timestamp::UNIX_EPOCH;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn timing() -> Timing {
    Timing::new(seconds(15), seconds(10), seconds(2), seconds(5)).unwrap()
}

fn candidate(name: &str) -> Elector {
    Elector::new(name.to_owned(), timing())
}

fn held_by(holder: &str, version: &str) -> Record {
    Record {
        holder: Some(holder.to_owned()),
        duration: Some(seconds(15)),
        transitions: 0,
        acquired_at: None,
        renewed_at: None,
        revision: revision(version),
    }
}

fn revision(version: &str) -> Revision {
    Revision { uid: "lease".to_owned(), version: version.to_owned() }
}

fn accepted(claim: Claim, version: &str) -> Record {
    Record {
        holder: claim.holder,
        duration: Some(claim.duration),
        transitions: claim.transitions,
        acquired_at: Some(claim.acquired_at),
        renewed_at: Some(claim.renewed_at),
        revision: revision(version),
    }
}

/// Compare-and-swap on one record, as the API server does it.
#[derive(Default)]
struct Shelf {
    record: Option<Record>,
    version: u64,
}

impl Shelf {
    fn write(&mut self, claim: Claim) -> Result<Record, Refusal> {
        if claim.replaces != self.record.as_ref().map(|record| record.revision.clone()) {
            return Err(Refusal::Conflict);
        }
        self.version += 1;
        let version = self.version.to_string();
        let uid = claim.replaces.as_ref().map_or_else(|| version.clone(), |replaced| replaced.uid.clone());
        let record = Record { revision: Revision { uid, version: version.clone() }, ..accepted(claim, &version) };
        self.record = Some(record.clone());
        Ok(record)
    }
}

fn answering() -> Client {
    let answer = || Response::new(Body::from(br#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{}}"#.to_vec()));
    Client::new(tower::service_fn(move |_: http::Request<Body>| async move { Ok::<_, kube::Error>(answer()) }), "vouch")
}
