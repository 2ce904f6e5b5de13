//! `vouch agent`.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    agent::{
        client::Client,
        protocol::{AgentStatus, Reply, Request},
        run,
    },
    args::AgentCommand,
    console,
    env::Variable,
    error::{Category, Failure},
    paths, wording,
};

/// Runs the command.
///
/// # Errors
/// Whatever keeps the agent from coming up, answering or ending.
pub fn run(command: &AgentCommand) -> Result<(), Failure> {
    match command {
        AgentCommand::Run { detach } => run::run(*detach),
        AgentCommand::Start => {
            let status = status(&mut Client::connect_or_start()?)?;
            console::note(&said(&status, Timestamp::now(), &TimeZone::system()));
            Ok(())
        }
        AgentCommand::Status(output) => {
            let mut client = Client::connect()?.ok_or_else(not_running)?;
            let status = status(&mut client)?;
            if output.json() {
                console::print_json(&status)
            } else {
                console::print(&said(&status, Timestamp::now(), &TimeZone::system()))
            }
        }
        AgentCommand::Stop => {
            match Client::connect()? {
                Some(client) => {
                    client.stop(&paths::agent_socket(&Variable::get)?)?;
                    console::note("The agent has ended, and with it the session.");
                }
                None => console::note("No agent runs."),
            }
            Ok(())
        }
    }
}

/// How the agent is.
///
/// # Errors
/// When it does not say.
pub fn status(client: &mut Client) -> Result<AgentStatus, Failure> {
    match client.call(Request::Status)? {
        Reply::Status(status) => Ok(*status),
        _ => Err(Failure::new(Category::General, "the agent gave an answer to another question")
            .hint("Run: vouch agent stop")),
    }
}

fn not_running() -> Failure {
    Failure::new(Category::General, "no agent runs").hint("It starts by itself with: vouch login")
}

fn said(status: &AgentStatus, now: Timestamp, zone: &TimeZone) -> String {
    let since = wording::moment(status.started_at, now, zone);
    let session = status
        .session
        .as_ref()
        .map_or_else(|| "nobody is signed in".to_owned(), |session| format!("{} is signed in", session.email));
    format!("The agent runs since {since} (process {}, version {}); {session}.", status.pid, status.version)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_idle_agent_is_described_in_one_line() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let status = AgentStatus {
            version: "0.1.0".to_owned(),
            pid: 42,
            started_at: "2026-11-21T09:30:00Z".parse().unwrap(),
            issuer: None,
            session: None,
            ended: None,
            credentials: Vec::new(),
            clock_offset_ms: None,
            overrides: Vec::new(),
        };
        let line = "The agent runs since 09:30 (process 42, version 0.1.0); nobody is signed in.";
        assert_eq!(said(&status, now, &TimeZone::UTC), line);
    }
}
