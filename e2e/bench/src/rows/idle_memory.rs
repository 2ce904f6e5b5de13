//! The memory of an issuer that nobody asks anything.

use crate::{
    BenchError, Row,
    compare::{Figure, Ratio},
    issuer::Place,
    report::Target,
};

const STARTS: usize = 3;

/// Resident memory after the start.
#[must_use]
pub fn row() -> Row {
    Row { name: "idle-memory", what: "idle issuer, resident MiB", target: Target::AtMost(20.0), measure }
}

fn measure() -> Result<Figure, BenchError> {
    let place = Place::initialised()?;
    let measured = (0..STARTS).map(|_| place.serve(None)?.resident_mib());
    Ratio::of(measured.collect::<Result<_, _>>()?)
        .map(Figure::from)
        .ok_or_else(|| BenchError::Missing("the kernel does not tell".to_owned()))
}
