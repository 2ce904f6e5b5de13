//! How a command talks to the agent: blocking, one line each way.

use std::{
    io,
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use super::{
    protocol::{AgentStatus, Envelope, Reply, Request, Response, VERSION},
    socket, start,
};
use crate::{
    console,
    env::{self, Variable},
    error::{Category, Failure},
    file_failure::words,
    overrides::{self, Reader},
    paths,
};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a stopped agent may take to leave.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to the agent.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    timeout: Duration,
}

/// What became of a request.
enum Answer {
    Reply(Box<Reply>),
    Refused(Failure),
    Incompatible,
}

impl Client {
    /// Connects to the running agent; `None` when none runs.
    ///
    /// # Errors
    /// When something is in the way of the socket. A missing agent is no error.
    pub fn connect() -> Result<Option<Self>, Failure> {
        Self::connect_to(&paths::agent_socket(&Variable::get)?)
    }

    /// Connects to the agent, and starts it when none runs. One that speaks another version is replaced, which ends
    /// its session and is said on stderr; so is one without a session that was started in another environment.
    ///
    /// # Errors
    /// When the agent does not come up.
    pub fn connect_or_start() -> Result<Self, Failure> {
        let socket = paths::agent_socket(&Variable::get)?;
        if let Some(client) = Self::connect_to(&socket)? {
            match client.ask(Request::Status)? {
                Answer::Incompatible => {
                    client.stop(&socket)?;
                    console::note("The agent of another vouch version was replaced; its session has ended.");
                }
                Answer::Reply(reply) => match *reply {
                    Reply::Status(status) if !heed_environment(&status) => client.stop(&socket)?,
                    _ => return Ok(client),
                },
                Answer::Refused(_) => return Ok(client),
            }
        }
        start::start(&socket)?;
        Self::connect_to(&socket)?
            .ok_or_else(|| Failure::new(Category::General, "the agent ended right after it was started"))
    }

    /// Sends a request and waits for what came of it.
    ///
    /// # Errors
    /// What the agent answered, or why it did not.
    pub fn call(&mut self, request: Request) -> Result<Reply, Failure> {
        match self.ask(request)? {
            Answer::Reply(reply) => Ok(*reply),
            Answer::Refused(failure) => Err(failure),
            Answer::Incompatible => Err(incompatible()),
        }
    }

    /// Ends the agent and waits until it is gone.
    ///
    /// # Errors
    /// When it stays.
    pub fn stop(self, socket: &Path) -> Result<(), Failure> {
        // Whatever it answers, it understood: `stop` is the same in every version.
        let _acknowledged = self.ask(Request::Stop);
        drop(self);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < deadline {
            if Self::connect_to(socket)?.is_none() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(Failure::new(Category::General, "the agent does not end")
            .hint("End its process by its id; vouch agent status names it"))
    }

    /// Connects to the agent at `socket`; `None` when none listens.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect_to(socket: &Path) -> Result<Option<Self>, Failure> {
        let timeout = timeout();
        let stream = socket::connect(socket, Instant::now() + timeout).map_err(|error| unreachable(socket, &error))?;
        Ok(stream.map(|stream| Self { stream, timeout }))
    }

    fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let line = serde_json::to_vec(&Envelope { v: VERSION, request })
            .map_err(|error| Failure::new(Category::General, format!("cannot put the request into words: {error}")))?;
        let deadline = Instant::now() + self.timeout;
        let answer = socket::exchange(&self.stream, line, deadline).map_err(|error| no_answer(&error, self.timeout))?;
        Ok(match serde_json::from_slice(&answer) {
            Ok(Response::Ok(reply)) => Answer::Reply(Box::new(reply)),
            Ok(Response::Err(failure)) => Answer::Refused(failure),
            Ok(Response::Incompatible { .. }) | Err(_) => Answer::Incompatible,
        })
    }
}

/// Whether the agent may stay: one that was started in another environment and holds no session is worth nothing, and one
/// that holds a session is ended by nobody but its owner, who is told.
fn heed_environment(status: &AgentStatus) -> bool {
    let here = overrides::in_effect(Reader::Agent, &|name| std::env::var_os(name));
    let differences = overrides::differences(&here, &status.overrides);
    if differences.is_empty() {
        return true;
    }
    if status.session.is_some() {
        console::note(&format!(
            "Note: the agent keeps the environment it was started in, which differs in {}. To make yours count: vouch agent \
             stop, which ends the session.",
            differences.join(", ")
        ));
    }
    status.session.is_some()
}

/// How long a command waits for an answer.
#[must_use]
pub fn timeout() -> Duration {
    env::VOUCH_TIMEOUT.text().and_then(|text| timeout_of(&text)).unwrap_or(DEFAULT_TIMEOUT)
}

/// What a value of the variable means; `None` when it means nothing.
#[must_use]
pub fn timeout_of(text: &str) -> Option<Duration> {
    text.parse().ok().filter(|seconds| (1..=600).contains(seconds)).map(Duration::from_secs)
}

/// Something other than our agent is at the socket.
#[must_use]
pub fn unreachable(socket: &Path, error: &io::Error) -> Failure {
    Failure::new(Category::General, format!("cannot talk to the agent at {}: {}", socket.display(), said(error)))
        .hint("Run: vouch doctor agent")
}

/// The agent took the request and did not answer it.
#[must_use]
pub fn no_answer(error: &io::Error, timeout: Duration) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut => {
            Failure::new(Category::Network, format!("the agent had no answer within {} s", timeout.as_secs()))
                .hint("Try again; if it stays so, run: vouch doctor")
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
            Failure::new(Category::NotLoggedIn, "the agent ended before it answered").hint("Run: vouch login")
        }
        _ => Failure::new(Category::General, format!("cannot talk to the agent: {}", said(error)))
            .hint("Run: vouch doctor agent"),
    }
}

/// Our own words for it, else those for what the system says.
fn said(error: &io::Error) -> String {
    if error.get_ref().is_some() { error.to_string() } else { words(error) }
}

/// The running agent and this program do not understand each other.
#[must_use]
pub fn incompatible() -> Failure {
    Failure::not_signed_in(Some("the running agent is of another vouch version"))
}
