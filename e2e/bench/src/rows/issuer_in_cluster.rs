//! An issuer on Kubernetes that has many people to know before it may answer for any of them: how long it takes to be
//! ready, and what it weighs then.

use std::time::Instant;

use crate::{
    BenchError, Row,
    cluster::{self, Namespace, World},
    compare::{Figure, Ratio},
    report::Target,
};

/// An organisation that has just begun.
pub(super) const FEW: u32 = 100;
const SOME: u32 = 10_000;
/// The largest that is promised anything.
pub(super) const MANY: u32 = 50_000;
const STARTS: usize = 7;

/// Seconds from the start of the process until it is ready.
#[must_use]
pub fn ready() -> Row {
    Row {
        name: "issuer-ready",
        what: "issuer on Kubernetes, seconds from start to ready, 100 people",
        target: Target::AtMost(2.0),
        measure: || over_starts(FEW, seconds_to_ready),
    }
}

/// The same with more people.
#[must_use]
pub fn ready_for_some() -> Row {
    Row {
        name: "issuer-ready-10000",
        what: "the same, 10,000 people",
        target: Target::Known,
        measure: || over_starts(SOME, seconds_to_ready),
    }
}

/// The same with as many as there may be.
#[must_use]
pub fn ready_for_many() -> Row {
    Row {
        name: "issuer-ready-50000",
        what: "the same, 50,000 people",
        target: Target::Known,
        measure: || over_starts(MANY, seconds_to_ready),
    }
}

/// Resident memory of an issuer that knows as many people as there may be. Half of what a pod may have unless its issuer
/// is declared otherwise.
#[must_use]
pub fn memory() -> Row {
    Row {
        name: "issuer-memory-50000",
        what: "issuer on Kubernetes, resident MiB, 50,000 people",
        target: Target::AtMost(256.0),
        measure: || over_starts(MANY, resident_mib),
    }
}

fn over_starts(people: u32, figure: fn(&World, &Namespace) -> Result<f64, BenchError>) -> Result<Figure, BenchError> {
    let world = cluster::shared()?;
    let place = world.namespace(people)?;
    let figures: Vec<f64> = (0..STARTS).map(|_| figure(&world, &place)).collect::<Result<_, _>>()?;
    Ratio::of(figures).map(Figure::from).ok_or_else(|| BenchError::Missing("nothing was measured".to_owned()))
}

fn seconds_to_ready(world: &World, place: &Namespace) -> Result<f64, BenchError> {
    let began = Instant::now();
    place.serve(world, 0)?.ready()?;
    Ok(began.elapsed().as_secs_f64())
}

fn resident_mib(world: &World, place: &Namespace) -> Result<f64, BenchError> {
    let issuer = place.serve(world, 0)?;
    issuer.ready()?;
    issuer.resident_mib()
}
