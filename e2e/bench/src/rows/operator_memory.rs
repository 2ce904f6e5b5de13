//! The memory of an operator that has nothing to do, against the least that a controller can be.

use crate::{
    BenchError, Row,
    cluster::{self, controller, operator::Operator},
    compare::{Figure, Ratio},
    measure::resident_mib,
    report::Target,
};

const STARTS: usize = 3;

/// Resident memory of the operator, over that of the control.
#[must_use]
pub fn row() -> Row {
    Row {
        name: "operator-memory",
        what: "idle operator, resident memory / minimal kube-rs controller",
        target: Target::AtMost(1.5),
        measure,
    }
}

fn measure() -> Result<Figure, BenchError> {
    let world = cluster::shared()?;
    // One issuer, and nobody in it.
    let place = world.namespace(0)?;
    let ratio = || -> Result<f64, BenchError> {
        let operator = Operator::start(&world, place.name())?;
        operator.settled()?;
        let subject = operator.resident_mib()?;
        operator.stop()?;
        let control = controller::start(&world, place.name())?;
        control.settled()?;
        Ok(subject / resident_mib(control.id())?)
    };
    let ratios: Vec<f64> = (0..STARTS).map(|_| ratio()).collect::<Result<_, _>>()?;
    Ratio::of(ratios).map(Figure::from).ok_or_else(|| BenchError::Missing("the kernel does not tell".to_owned()))
}
