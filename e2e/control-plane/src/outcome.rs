//! What a command came to.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::output_with_input;

/// A command that has ended.
#[must_use]
#[derive(Debug, Clone)]
pub struct Outcome {
    command: String,
    success: bool,
    out: String,
    err: String,
}

impl Outcome {
    /// Runs a command to its end, without input.
    ///
    /// # Panics
    /// When it does not start.
    pub fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self::new(command, &output)
    }

    /// Runs a command that reads a text.
    ///
    /// # Panics
    /// When it does not start.
    pub fn with_input(command: &mut Command, input: &str) -> Self {
        let output = output_with_input(command, input);
        Self::new(command, &output)
    }

    fn new(command: &Command, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let words = [command.get_program()].into_iter().chain(command.get_args());
        let command = words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
        Self { command, success: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Whether it was carried out.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.success
    }

    /// What it said on standard error.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.err
    }

    /// What a command printed that was carried out.
    ///
    /// # Panics
    /// When it was not.
    pub fn answer(self) -> String {
        assert!(self.success, "{}: {}", self.command, self.err);
        self.out
    }

    /// The same, as JSON.
    ///
    /// # Panics
    /// When it was not carried out, or printed something else.
    #[must_use]
    pub fn json(self) -> Value {
        let command = self.command.clone();
        let answer = self.answer();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{command}: {error} in: {answer}"))
    }

    /// The words of a command that was not carried out, and what a program reads in place of an answer.
    ///
    /// # Panics
    /// When it was carried out, or printed no JSON.
    #[must_use]
    pub fn failure(self) -> (String, Value) {
        assert!(!self.success, "{} was carried out: {}", self.command, self.out);
        let answer = serde_json::from_str(&self.out);
        (self.err, answer.unwrap_or_else(|error| panic!("{}: {error} in: {}", self.command, self.out)))
    }

    /// The words of a command that was not carried out, and printed nothing that a program could read.
    ///
    /// # Panics
    /// When it was.
    #[must_use]
    pub fn refusal(self) -> String {
        assert!(!self.success && self.out.is_empty(), "{} was carried out: {}", self.command, self.out);
        self.err
    }
}
