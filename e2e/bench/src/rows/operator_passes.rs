//! What the operator's passes over people cost when there are five times as many: no more than five times as much, and
//! what it takes to start.
//!
//! The first pass judges everybody anew and writes to each. A pass over people who have been judged, which is what every
//! new leader begins with, reads them all and writes to nobody.

use std::time::Duration;

use crate::{
    BenchError, Row,
    cluster::{
        self, Namespace, World,
        operator::{Labels, Operator},
    },
    compare::{self, Figure, Ratio},
    process::within,
    report::Target,
};

const FEW: u32 = 2_000;
const MANY: u32 = 10_000;
const ROUNDS: usize = 3;

/// However slow the API server is.
const PATIENCE: Duration = Duration::from_secs(900);
/// Between two looks at how far it is: each costs the operator a little.
const PAUSE: Duration = Duration::from_millis(100);

const REQUESTS: &str = "vouch_operator_api_requests_total";
const PASSES: &str = "vouch_operator_reconciles_total";

/// CPU time until many have been judged, over that until few have.
#[must_use]
pub fn first() -> Row {
    Row {
        name: "operator-first-pass",
        what: "operator CPU from start to everybody judged, 10,000 people / 2,000",
        target: Target::AtMost(6.0),
        measure: || compared(first_pass),
    }
}

/// The same when everybody had been judged before.
#[must_use]
pub fn again() -> Row {
    Row {
        name: "operator-next-pass",
        what: "the same where everybody was judged before",
        target: Target::AtMost(6.0),
        measure: || compared(next_pass),
    }
}

/// What a leader writes when it finds everything as it should be.
#[must_use]
pub fn writes() -> Row {
    Row {
        name: "operator-writes",
        what: "writes of 3 operators that find 2,000 people and an issuer unchanged",
        target: Target::AtMost(0.0),
        measure: unchanged,
    }
}

fn compared(cost: fn(&World, &Namespace) -> Result<Duration, BenchError>) -> Result<Figure, BenchError> {
    let world = cluster::shared()?;
    let (many, few) = (world.namespace(MANY)?, world.namespace(FEW)?);
    let ratio = compare::costs(ROUNDS, || cost(&world, &many), || cost(&world, &few))?;
    ratio.map(Figure::from).ok_or_else(|| BenchError::Missing("it took no time that can be measured".to_owned()))
}

fn first_pass(world: &World, place: &Namespace) -> Result<Duration, BenchError> {
    if world.run(place.judged())? > 0 {
        world.run(place.unjudge())?;
    }
    let operator = Operator::start(world, place.name())?;
    let cpu = cost_until(&operator, || written(&operator, place))?;
    operator.stop()?;
    match world.run(place.judged())? {
        everybody if everybody == place.people() => Ok(cpu),
        some => Err(BenchError::Subject { what: "judging everybody", reason: format!("{some} were judged") }),
    }
}

fn next_pass(world: &World, place: &Namespace) -> Result<Duration, BenchError> {
    if world.run(place.judged())? < place.people() {
        first_pass(world, place)?;
    }
    let operator = Operator::start(world, place.name())?;
    let cpu = cost_until(&operator, || passed(&operator, place))?;
    operator.stop()?;
    Ok(cpu)
}

fn unchanged() -> Result<Figure, BenchError> {
    let world = cluster::shared()?;
    let place = world.namespace(FEW)?;
    // Whatever there was to do is done.
    next_pass(&world, &place)?;
    writes_of_a_start(&world, &place)?;
    let writes = (0..ROUNDS).map(|_| writes_of_a_start(&world, &place)).sum::<Result<u64, _>>()?;
    let writes = f64::from(u32::try_from(writes).unwrap_or(u32::MAX));
    Ratio::of(vec![writes]).map(Figure::from).ok_or_else(|| BenchError::Missing("nothing was counted".to_owned()))
}

/// What an operator writes until it is idle.
fn writes_of_a_start(world: &World, place: &Namespace) -> Result<u64, BenchError> {
    let operator = Operator::start(world, place.name())?;
    cost_until(&operator, || passed(&operator, place))?;
    operator.settled()?;
    let writes = operator.counted(REQUESTS, |labels| is_write(labels) && !labels.has("resource", "leases"))?;
    operator.stop()?;
    Ok(writes)
}

/// What an operator has cost when it is as far as that.
fn cost_until(
    operator: &Operator,
    mut is_there: impl FnMut() -> Result<bool, BenchError>,
) -> Result<Duration, BenchError> {
    within(PATIENCE, PAUSE, "waiting for the operator", || is_there().map(|there| there.then_some(())))?;
    operator.cpu()
}

/// Whether as many people have been written to as there are.
fn written(operator: &Operator, place: &Namespace) -> Result<bool, BenchError> {
    let counts = |labels: &Labels<'_>| labels.has("resource", "vouchusers/status") && labels.has("code", "200");
    Ok(operator.counted(REQUESTS, counts)? >= u64::from(place.people()))
}

/// Whether as many people have been looked at as there are.
fn passed(operator: &Operator, place: &Namespace) -> Result<bool, BenchError> {
    let counts = |labels: &Labels<'_>| labels.has("kind", "VouchUser") && labels.has("outcome", "Done");
    Ok(operator.counted(PASSES, counts)? >= u64::from(place.people()))
}

fn is_write(labels: &Labels<'_>) -> bool {
    ["create", "update", "patch", "delete"].into_iter().any(|verb| labels.has("verb", verb))
}
