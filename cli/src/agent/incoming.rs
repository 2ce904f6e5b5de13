//! Reading what a client wrote. Bytes come from outside, so nothing here may panic or grow without bound.

use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use super::protocol::{Envelope, MAX_LINE, Request, Response, VERSION};
use crate::error::{Category, Failure};

/// One line, understood.
#[derive(Debug)]
pub enum Incoming {
    /// Something to do.
    Request(Box<Request>),
    /// Nothing to do but to answer this.
    Answer(Response),
}

/// The part every version understands.
#[derive(Deserialize)]
struct Probe {
    v: u32,
    op: String,
}

/// Understands one line.
#[must_use]
pub fn parse(line: &[u8]) -> Incoming {
    match serde_json::from_slice::<Probe>(line) {
        Ok(probe) if probe.op == "stop" => Incoming::Request(Box::new(Request::Stop)),
        Ok(probe) if probe.v != VERSION => Incoming::Answer(Response::Incompatible { v: VERSION }),
        Ok(_) => match serde_json::from_slice::<Envelope>(line) {
            Ok(envelope) => Incoming::Request(Box::new(envelope.request)),
            Err(_) => malformed("the request to the agent has members it does not understand"),
        },
        Err(_) => malformed("the request to the agent is not one line of JSON"),
    }
}

fn malformed(message: &str) -> Incoming {
    Incoming::Answer(Response::Err(Failure::new(Category::General, message).hint("Run: vouch agent stop")))
}

/// Reads one line without its newline into `line`; false at the end of the stream.
///
/// # Errors
/// What the system says, and [`std::io::ErrorKind::InvalidData`] when the line is longer than [`MAX_LINE`].
pub async fn read_line(reader: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let longest = u64::try_from(MAX_LINE + 1).unwrap_or(u64::MAX);
    reader.take(longest).read_until(b'\n', line).await?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(true);
    }
    if line.len() > MAX_LINE {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    fn answer(line: &str) -> Response {
        match parse(line.as_bytes()) {
            Incoming::Answer(answer) => answer,
            Incoming::Request(request) => panic!("{request:?}"),
        }
    }

    #[test]
    fn a_client_of_another_version_is_told_so() {
        let line = format!(r#"{{"v":{},"op":"brand_new","x":1}}"#, VERSION + 1);
        assert!(matches!(answer(&line), Response::Incompatible { v: VERSION }));
    }

    #[test]
    fn stop_is_understood_in_every_version() {
        for v in [0, VERSION, VERSION + 1] {
            let line = format!(r#"{{"v":{v},"op":"stop","why":"upgrade"}}"#);
            assert!(matches!(parse(line.as_bytes()), Incoming::Request(request) if matches!(*request, Request::Stop)));
        }
    }

    #[test]
    fn nonsense_is_answered_with_a_failure() {
        for line in [
            "",
            "{",
            "[]",
            "null",
            r#"{"op":"status"}"#,
            r#"{"v":1}"#,
            r#"{"v":1,"op":"fly"}"#,
            r#"{"v":1,"op":"aws_credentials","role":"x"}"#,
        ] {
            assert!(matches!(answer(line), Response::Err(_)), "{line}");
        }
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_cut_off_at_its_bound() {
        let endless = tokio::io::repeat(b'x');
        let mut line = Vec::new();
        let error = read_line(&mut tokio::io::BufReader::new(endless), &mut line).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        assert_eq!(line.len(), MAX_LINE + 1);
    }

    #[tokio::test]
    async fn lines_are_read_one_by_one_and_a_rest_without_newline_is_none() {
        let mut reader = &b"one\ntwo\nrest"[..];
        let mut line = Vec::new();
        assert!(read_line(&mut reader, &mut line).await.unwrap());
        assert_eq!(line, b"one");
        assert!(read_line(&mut reader, &mut line).await.unwrap());
        assert_eq!(line, b"two");
        assert!(!read_line(&mut reader, &mut line).await.unwrap());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _understood = parse(&line);
        }

        #[test]
        fn arbitrary_members_never_panic(op in "[a-z_]{0,20}", v in any::<u32>(), key in "[a-z]{1,8}", value in ".{0,40}") {
            let line = serde_json::json!({ "v": v, "op": op, key: value }).to_string();
            let _understood = parse(line.as_bytes());
        }
    }
}
