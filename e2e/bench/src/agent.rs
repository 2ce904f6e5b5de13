//! What answers the credential helper: an agent that holds fresh credentials for any role, and has nothing else to do.
//!
//! The helper's own cost is measured, so the other end of the socket only has to speak the protocol.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use jiff::Timestamp;
use tempfile::TempDir;
use vouch_cli::agent::protocol::{AwsCredentials, Reply, Response};

use crate::BenchError;

/// Bytes of a session token, as STS gives them for a session with tags.
const TOKEN_LENGTH: usize = 1200;

/// A thread at a socket of its own. Dropping it ends both.
#[derive(Debug)]
pub struct Agent {
    folder: TempDir,
    credentials: AwsCredentials,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    /// Listens.
    ///
    /// # Errors
    /// When there can be no socket.
    pub fn start() -> Result<Self, BenchError> {
        let folder = tempfile::tempdir().map_err(BenchError::failed("making a folder"))?;
        let listener =
            UnixListener::bind(socket(folder.path())).map_err(BenchError::failed("listening on a unix socket"))?;
        let credentials = AwsCredentials {
            version: 1,
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: "IQoJ".repeat(TOKEN_LENGTH / 4),
            expiration: Timestamp::now().saturating_add(jiff::SignedDuration::from_hours(1)).unwrap_or(Timestamp::MAX),
        };
        let mut line = serde_json::to_vec(&Response::Ok(Reply::AwsCredentials(credentials.clone())))
            .map_err(BenchError::failed("writing credentials"))?;
        line.push(b'\n');
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok).take_while(|_| !told.load(Ordering::Acquire)) {
                // A helper that goes away complains for itself.
                let _ = answer(&stream, &line);
            }
        });
        Ok(Self { folder, credentials, over, thread: Some(thread) })
    }

    /// What the helper finds it by: `VOUCH_RUNTIME_DIR`.
    #[must_use]
    pub fn runtime_dir(&self) -> &Path {
        self.folder.path()
    }

    /// What a helper prints when it has asked.
    #[must_use]
    pub fn credentials(&self) -> &AwsCredentials {
        &self.credentials
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // The thread is waiting for somebody.
        if UnixStream::connect(socket(self.folder.path())).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("agent.sock")
}

fn answer(mut stream: &UnixStream, line: &[u8]) -> io::Result<()> {
    let mut request = String::new();
    BufReader::new(stream).read_line(&mut request)?;
    stream.write_all(line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use vouch_cli::agent::{client::Client, protocol::Request};

    use super::*;

    #[test]
    fn it_speaks_the_protocol_of_the_real_one() {
        let agent = Agent::start().unwrap();
        let mut client = Client::connect_to(&socket(agent.runtime_dir())).unwrap().unwrap();
        let Reply::AwsCredentials(answer) = client.call(Request::Status).unwrap() else { unreachable!() };
        assert_eq!(&answer, agent.credentials());
    }
}
