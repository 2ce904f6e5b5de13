//! A client that costs as little as possible: HTTP/1.1 on connections that stay open, with no thread of its own.
//!
//! It talks to our own servers only, whose answers always carry a length, and understands nothing else.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::{BenchError, process::PATIENCE};

/// Connections of a load. A server that has several requests to do is awake; one that sleeps between two would measure
/// the scheduler.
const CONNECTIONS: u32 = 16;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// Insists on 200.
    ///
    /// # Errors
    /// What was answered instead.
    pub fn succeeded(self) -> Result<Self, BenchError> {
        if self.status == 200 {
            return Ok(self);
        }
        let reason = format!("{}: {}", self.status, String::from_utf8_lossy(&self.body));
        Err(BenchError::Subject { what: "a request", reason })
    }
}

/// A `GET` of `path`.
#[must_use]
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: vouch.example.com\r\n\r\n").into_bytes()
}

/// Connects to a server. What is not answered in time is an error.
///
/// # Errors
/// When nobody listens.
pub fn connect(address: SocketAddr) -> Result<TcpStream, BenchError> {
    let connected = TcpStream::connect(address).and_then(|stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    connected.map_err(BenchError::failed("connecting"))
}

/// One connection.
#[derive(Debug)]
pub struct Connection<S: Read>(BufReader<S>);

impl<S: Read + Write> Connection<S> {
    /// On a stream that is open.
    pub fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When the server has gone.
    pub fn send(&mut self, request: &[u8]) -> Result<(), BenchError> {
        let stream = self.0.get_mut();
        stream.write_all(request).and_then(|()| stream.flush()).map_err(BenchError::failed("sending a request"))
    }

    /// Reads the answer to a request that was sent.
    ///
    /// # Errors
    /// When there is none.
    pub fn receive(&mut self) -> Result<Answer, BenchError> {
        self.read().map_err(BenchError::failed("reading an answer"))
    }

    fn read(&mut self) -> io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut answer = Answer { status: status.unwrap_or_default(), head, body: Vec::new() };
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        answer.body.resize(length.ok_or_else(|| io::Error::other("it has no length"))?, 0);
        self.0.read_exact(&mut answer.body)?;
        Ok(answer)
    }
}

/// Who makes requests.
pub trait Caller {
    /// The next request, whole.
    ///
    /// # Errors
    /// When there can be none.
    fn request(&mut self) -> Result<Vec<u8>, BenchError>;

    /// The answer to one of the requests.
    ///
    /// # Errors
    /// When it is not the one expected.
    fn answered(&mut self, answer: Answer) -> Result<(), BenchError>;
}

/// The same `GET` again and again, which must succeed.
#[derive(Debug)]
pub struct Reader(Vec<u8>);

impl Reader {
    /// Of `path`.
    #[must_use]
    pub fn of(path: &str) -> Self {
        Self(get(path))
    }
}

impl Caller for Reader {
    fn request(&mut self) -> Result<Vec<u8>, BenchError> {
        Ok(self.0.clone())
    }

    fn answered(&mut self, answer: Answer) -> Result<(), BenchError> {
        answer.succeeded().map(drop)
    }
}

/// Connections that are loaded together.
#[derive(Debug)]
pub struct Load(Vec<Connection<TcpStream>>);

impl Load {
    /// On a server.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn on(address: SocketAddr) -> Result<Self, BenchError> {
        let connections = (0..CONNECTIONS).map(|_| connect(address).map(Connection::new));
        connections.collect::<Result<_, _>>().map(Self)
    }

    /// Makes at least `requests` requests: one on every connection, then all the answers, and again.
    ///
    /// # Errors
    /// The first of the server or the caller.
    pub fn run(&mut self, requests: u32, caller: &mut impl Caller) -> Result<(), BenchError> {
        for _ in 0..requests.div_ceil(CONNECTIONS) {
            for connection in &mut self.0 {
                connection.send(&caller.request()?)?;
            }
            for connection in &mut self.0 {
                caller.answered(connection.receive()?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    struct Script {
        answers: io::Cursor<&'static [u8]>,
        sent: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.answers.read(buffer)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.sent.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn connection(answers: &'static str) -> Connection<Script> {
        Connection::new(Script { answers: io::Cursor::new(answers.as_bytes()), sent: Vec::new() })
    }

    #[test]
    fn answers_on_one_connection_are_told_apart() {
        let two = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDPoP-Nonce: n\r\n\r\n{}HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n";
        let mut connection = connection(two);
        let first = connection.receive().unwrap();
        assert_eq!((first.status, first.header("dpop-nonce"), first.body.as_slice()), (200, Some("n"), &b"{}"[..]));
        assert!(connection.receive().unwrap().succeeded().is_err());
        assert!(connection.receive().is_err(), "there is no third");
    }

    #[test]
    fn an_answer_that_is_cut_off_or_has_no_length_is_an_error() {
        for text in ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi"]
        {
            assert!(connection(text).receive().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_request_is_sent_as_it_is() {
        let mut connection = connection("");
        connection.send(&get("/.well-known/jwks.json")).unwrap();
        let sent = &connection.0.get_ref().sent;
        assert_eq!(sent, b"GET /.well-known/jwks.json HTTP/1.1\r\nhost: vouch.example.com\r\n\r\n");
    }
}
