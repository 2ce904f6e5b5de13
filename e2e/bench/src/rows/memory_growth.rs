//! What an issuer remembers of what it has done: the proofs of the last minutes, and nothing that grows for ever.

use crate::{
    BenchError, Row,
    compare::{Figure, Ratio},
    http::Load,
    issuer::Place,
    person::Person,
    report::Target,
};

const ASSERTIONS: u32 = 100_000;

/// Resident memory after many assertions, over that of the idle issuer.
#[must_use]
pub fn row() -> Row {
    Row {
        name: "memory-growth",
        what: "resident memory after 100,000 AWS assertions / idle",
        target: Target::AtMost(1.5),
        measure,
    }
}

fn measure() -> Result<Figure, BenchError> {
    let place = Place::initialised()?;
    let mut person = Person::signed_in(&place)?;
    let issuer = place.serve(None)?;
    let idle = issuer.resident_mib()?;
    person.meet(issuer.address)?;
    Load::on(issuer.address)?.run(ASSERTIONS, &mut person)?;
    let after = issuer.resident_mib()?;
    Ratio::of(vec![after / idle])
        .map(Figure::from)
        .ok_or_else(|| BenchError::Missing("the kernel does not tell".to_owned()))
}
