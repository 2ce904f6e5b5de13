//! How long somebody who is disabled can go on: from the moment an administrator's change is sent to the API server until
//! every replica has refused a session that it took before.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use serde::Deserialize;
use tokio::task::JoinHandle;
use vouch_issuer_api::error::ErrorCode;

use super::issuer_in_cluster::FEW;
use crate::{
    BenchError, Row,
    cluster::{self, World},
    compare::{Delays, Figure},
    http::{Caller as _, Connection, connect},
    person::Person,
    process::within,
    report::Target,
};

const REPLICAS: u32 = 3;
const TRIES: usize = 1000;
/// The person who is disabled.
const NUMBER: u32 = 0;
/// Much longer than it may take: a change that nobody has heard of by then never comes, and ends the row.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of one request: a nonce may have grown old, and its successor has just been given.
const TRIES_WITH_A_NONCE: usize = 2;
/// Between two looks at all replicas: the machine has other things to do than to answer them.
const PAUSE: Duration = Duration::from_millis(1);

/// Seconds until the last of the replicas refuses.
#[must_use]
pub fn row() -> Row {
    Row {
        name: "disable",
        what: "seconds from disabling a person to refusal by 3 replicas, 1,000 tries",
        target: Target::AtMost(1.0),
        measure,
    }
}

fn measure() -> Result<Figure, BenchError> {
    let world = cluster::shared()?;
    let place = world.namespace(FEW)?;
    let replicas = (0..REPLICAS).map(|number| place.serve(&world, number)).collect::<Result<Vec<_>, _>>()?;
    let mut sessions = Vec::new();
    for replica in &replicas {
        replica.ready()?;
        let mut person = place.signed_in(&world, NUMBER)?;
        person.meet(replica.address)?;
        sessions.push(Session { person, connection: Connection::new(connect(replica.address)?) });
    }
    let mut change = |disabled: bool| delay(&world, &mut sessions, place.disable(NUMBER, disabled), disabled);
    let mut delays = Vec::with_capacity(TRIES);
    for _ in 0..TRIES {
        delays.push(change(true)?);
        change(false)?;
    }
    Delays::of(delays).map(Figure::from).ok_or_else(|| BenchError::Missing("nothing was tried".to_owned()))
}

/// From now, when a change is sent, until every replica has answered by it.
fn delay(
    world: &World,
    sessions: &mut [Session],
    change: impl Future<Output = Result<(), BenchError>> + Send + 'static,
    refused: bool,
) -> Result<Duration, BenchError> {
    let began = Instant::now();
    let mut writing = Some(world.begin(change));
    let mut finish = |writing: JoinHandle<_>| world.run(writing).map_err(BenchError::failed("disabling a person"))?;
    let mut waiting: Vec<&mut Session> = sessions.iter_mut().collect();
    within(PATIENCE, PAUSE, "waiting for every replica", || {
        // Nobody hears of a change that the API server has refused.
        writing.take_if(|writing| writing.is_finished()).map(&mut finish).transpose()?;
        let mut late = Vec::new();
        for session in std::mem::take(&mut waiting) {
            if session.is_refused()? != refused {
                late.push(session);
            }
        }
        waiting = late;
        Ok(waiting.is_empty().then_some(()))
    })?;
    let took = began.elapsed();
    writing.map(finish).transpose()?;
    Ok(took)
}

/// A session on one replica.
struct Session {
    person: Person,
    connection: Connection<TcpStream>,
}

#[derive(Deserialize)]
struct Refusal {
    error: ErrorCode,
}

impl Session {
    /// Asks for a credential. Whether that is refused because the session is over.
    fn is_refused(&mut self) -> Result<bool, BenchError> {
        for _ in 0..TRIES_WITH_A_NONCE {
            self.connection.send(&self.person.request()?)?;
            let answer = self.connection.receive()?;
            self.person.take_nonce(&answer);
            if answer.status == 200 {
                return Ok(false);
            }
            match serde_json::from_slice(&answer.body) {
                Ok(Refusal { error: ErrorCode::SessionEnded }) => return Ok(true),
                // The nonce has grown old; the next proof carries a new one.
                Ok(Refusal { error: ErrorCode::UseDpopNonce }) => {}
                _ => return answer.succeeded().map(|_| false),
            }
        }
        Err(BenchError::Subject { what: "asking for a credential", reason: "a new nonce is refused".to_owned() })
    }
}
