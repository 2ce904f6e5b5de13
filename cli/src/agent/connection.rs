//! One client: who it is, what it asks, what it is told.

use std::{sync::Arc, time::Duration};

use rustix::process::Uid;
use tokio::{
    io::{AsyncWriteExt as _, BufReader},
    net::UnixStream,
    time::timeout,
};
use zeroize::Zeroizing;

use super::{
    credentials::Ready,
    handler::Agent,
    incoming::{self, Incoming},
    protocol::Response,
};

/// A client that says nothing for this long is let go.
const IDLE: Duration = Duration::from_secs(300);

/// What a client is told.
pub enum Answer {
    /// Credentials, as bytes that were prepared when they came.
    Prepared(Arc<Ready>),
    /// Anything else.
    Response(Response),
}

/// Serves one client until it leaves. Another user's process gets no answer at all.
pub async fn serve(stream: UnixStream, agent: Arc<Agent>, owner: Uid) {
    if !is_ours(&stream, owner) {
        tracing::warn!("refused a connection of another user");
        return;
    }
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut line = Zeroizing::new(Vec::new());
    while let Ok(Ok(true)) = timeout(IDLE, incoming::read_line(&mut reader, &mut line)).await {
        let answer = match incoming::parse(&line) {
            Incoming::Request(request) => agent.answer(*request).await,
            Incoming::Answer(response) => Answer::Response(response),
        };
        let written = match answer {
            Answer::Prepared(ready) => writer.write_all(&ready.line).await,
            Answer::Response(response) => writer.write_all(&to_line(&response)).await,
        };
        if written.is_err() {
            break;
        }
    }
}

/// The kernel says who is at the other end (`SO_PEERCRED`, unix(7)).
fn is_ours(stream: &UnixStream, owner: Uid) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == owner.as_raw())
}

fn to_line(response: &Response) -> Zeroizing<Vec<u8>> {
    let mut line = Zeroizing::new(Vec::with_capacity(1024));
    if serde_json::to_writer(&mut *line, response).is_err() {
        line.clear();
        line.extend_from_slice(br#"{"err":{"category":"general","message":"the agent has no words for its answer"}}"#);
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::AsyncBufReadExt as _;

    use super::*;
    use crate::{
        agent::{handler::Settings, protocol::VERSION},
        clock::SystemClock,
    };

    #[tokio::test]
    async fn only_the_owner_of_the_agent_is_served() {
        let own = rustix::process::geteuid();
        for (owner, is_served) in [(own, true), (Uid::from_raw(own.as_raw() + 1), false)] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let agent = Agent::new(Settings::default(), Arc::new(SystemClock));
            let served = tokio::spawn(serve(ours, agent, owner));
            let asked = theirs.write_all(format!("{{\"v\":{VERSION},\"op\":\"status\"}}\n").as_bytes()).await;
            // The other end may be closed already.
            assert!(asked.is_ok() || !is_served);
            let mut answer = String::new();
            let _ = BufReader::new(&mut theirs).read_line(&mut answer).await;
            assert_eq!(answer.starts_with("{\"ok\""), is_served, "{answer}");
            assert_eq!(answer.is_empty(), !is_served, "{answer}");
            drop(theirs);
            served.await.unwrap();
        }
    }
}
