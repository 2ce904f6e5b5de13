//! The key set, which AWS reads whenever somebody takes a role, against a server that does nothing but serve it.

use std::time::Duration;

use vouch_issuer_api::paths;

use crate::{
    BenchError, Row,
    compare::{self, Figure},
    control::{self, Control},
    http::{Connection, Load, Reader, connect, get},
    issuer::{Place, Running},
    measure::process_cpu,
    report::Target,
};

const ROUNDS: usize = 15;
const REQUESTS_PER_ROUND: u32 = 4000;

/// CPU time of a request for the key set, over that of the static control.
#[must_use]
pub fn row() -> Row {
    Row { name: "jwks", what: "JWKS request CPU / static axum control", target: Target::AtMost(1.2), measure }
}

fn measure() -> Result<Figure, BenchError> {
    let place = Place::initialised()?;
    let issuer = place.serve(None)?;
    let control = Control::start(&document(&place, &issuer)?, None)?;
    let (mut on_issuer, mut on_control) = (Load::on(issuer.address)?, Load::on(control.address)?);
    let (mut from_issuer, mut from_control) = (Reader::of(paths::JWKS), Reader::of(control::PATH));
    on_issuer.run(REQUESTS_PER_ROUND, &mut from_issuer)?;
    on_control.run(REQUESTS_PER_ROUND, &mut from_control)?;

    let subject = || -> Result<Duration, BenchError> {
        process_cpu(issuer.id(), || on_issuer.run(REQUESTS_PER_ROUND, &mut from_issuer))
    };
    let baseline = || -> Result<Duration, BenchError> {
        process_cpu(control.id(), || on_control.run(REQUESTS_PER_ROUND, &mut from_control))
    };
    compare::costs(ROUNDS, subject, baseline)?
        .map(Figure::from)
        .ok_or_else(|| BenchError::Missing("the control took no time that can be measured".to_owned()))
}

/// The issuer's own key set, in a file for the control.
fn document(place: &Place, issuer: &Running<'_>) -> Result<std::path::PathBuf, BenchError> {
    let mut connection = Connection::new(connect(issuer.address)?);
    connection.send(&get(paths::JWKS))?;
    let path = place.folder().join("jwks.json");
    std::fs::write(&path, connection.receive()?.succeeded()?.body).map_err(BenchError::failed("writing a file"))?;
    Ok(path)
}
