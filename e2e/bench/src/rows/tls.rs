//! A new TLS 1.3 connection with one request, against the same in a few lines of axum-server and rustls.

use std::{net::SocketAddr, time::Duration};

use vouch_issuer_api::paths;

use crate::{
    BenchError, Row,
    compare::{self, Figure},
    control::{self, Control},
    http::get,
    issuer::Place,
    measure::process_cpu,
    report::Target,
    tls::Certificate,
};

const ROUNDS: usize = 11;
const CONNECTIONS_PER_ROUND: u32 = 150;

/// CPU time of a connection with a request, over that of the control.
#[must_use]
pub fn row() -> Row {
    Row { name: "tls", what: "TLS handshake and request CPU / rustls control", target: Target::AtMost(1.2), measure }
}

fn measure() -> Result<Figure, BenchError> {
    let place = Place::initialised()?;
    let tls = Certificate::make(place.folder())?;
    let issuer = place.serve(Some(&tls))?;
    let mut connection = tls.connect(issuer.address)?;
    connection.send(&get(paths::JWKS))?;
    let body = place.folder().join("jwks.json");
    std::fs::write(&body, connection.receive()?.succeeded()?.body).map_err(BenchError::failed("writing a file"))?;
    let control = Control::start(&body, Some(&tls))?;
    connections(&tls, issuer.address, paths::JWKS)?;
    connections(&tls, control.address, control::PATH)?;

    let subject = || -> Result<Duration, BenchError> {
        process_cpu(issuer.id(), || connections(&tls, issuer.address, paths::JWKS))
    };
    let baseline = || -> Result<Duration, BenchError> {
        process_cpu(control.id(), || connections(&tls, control.address, control::PATH))
    };
    compare::costs(ROUNDS, subject, baseline)?
        .map(Figure::from)
        .ok_or_else(|| BenchError::Missing("the control took no time that can be measured".to_owned()))
}

/// One after the other, each with a whole handshake and one request.
fn connections(tls: &Certificate, address: SocketAddr, path: &str) -> Result<(), BenchError> {
    let request = get(path);
    (0..CONNECTIONS_PER_ROUND).try_for_each(|_| {
        let mut connection = tls.connect(address)?;
        connection.send(&request)?;
        connection.receive()?.succeeded().map(drop)
    })
}
