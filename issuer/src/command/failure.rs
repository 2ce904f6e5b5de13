//! How a command says that it failed: in words on standard error, and under `--output json` also as an object on standard
//! output, where a program looks for the answer.

use std::{
    error::Error,
    io::{self, Write},
};

use serde::Serialize;

use super::{Failure, Output};
use crate::config::{Problem, Problems};

/// What is on standard output in place of an answer: an object whose only member is `error`. `kubectl vouch` prints the same.
#[derive(Debug, Serialize)]
pub struct Answer<'a> {
    error: Report<'a>,
}

impl<'a> Answer<'a> {
    /// Of a failure that ends the program with exit code 1. `problems` are the mistakes of a manifest, if it is about one.
    #[must_use]
    pub const fn of(message: String, causes: Vec<String>, problems: &'a [Problem]) -> Self {
        let category = if problems.is_empty() { "general" } else { "configuration" };
        Self { error: Report { category, exit_code: 1, message, causes, problems } }
    }
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    /// `configuration`, or `general`.
    category: &'static str,
    exit_code: u8,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    /// Every mistake of a manifest.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    problems: &'a [Problem],
}

/// There is nowhere to report to when a stream is closed.
pub(super) fn report(failure: &Failure, output: Output) {
    let _ = in_words(&**failure, &mut io::stderr().lock());
    if output == Output::Json {
        let mut out = io::stdout().lock();
        let _ = serde_json::to_writer_pretty(&mut out, &answer(failure)).map(|()| writeln!(out));
    }
}

/// One line for each thing that is wrong, then its causes.
fn in_words(failure: &(dyn Error + 'static), out: &mut impl Write) -> io::Result<()> {
    for line in failure.to_string().lines() {
        writeln!(out, "vouch-issuer: {line}")?;
    }
    causes(failure).iter().try_for_each(|cause| writeln!(out, "  because: {cause}"))
}

fn causes(failure: &(dyn Error + 'static)) -> Vec<String> {
    std::iter::successors(failure.source(), |&cause| cause.source()).map(ToString::to_string).collect()
}

fn answer(failure: &Failure) -> Answer<'_> {
    let problems = failure.downcast_ref::<Problems>().map(Problems::as_slice).unwrap_or_default();
    Answer::of(failure.to_string(), causes(&**failure), problems)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;
    use crate::config::load_str;

    #[test]
    fn every_line_says_which_program_speaks() {
        let failure: Failure = load_str("- a\n---\n- b\n").map(|_| ()).unwrap_err().into();
        let mut text = Vec::new();
        in_words(&*failure, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().all(|line| line.starts_with("vouch-issuer: line ")), "{text}");
    }

    #[test]
    fn a_program_reads_every_mistake_with_its_place() {
        let failure: Failure = load_str("- a\n---\n- b\n").map(|_| ()).unwrap_err().into();
        let json = serde_json::to_value(answer(&failure)).unwrap();
        assert_eq!((&json["error"]["category"], &json["error"]["exit_code"]), (&"configuration".into(), &1.into()));
        assert_eq!(json["error"]["problems"][1]["place"]["line"], 3);
        let other: Failure = io::Error::other("full").into();
        let json = serde_json::to_value(answer(&other)).unwrap();
        assert_eq!(json, serde_json::json!({"error": {"category": "general", "exit_code": 1, "message": "full"}}));
    }
}
