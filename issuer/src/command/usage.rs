//! A command line that is wrong, told also to a program that asked for JSON: before there is an answer to the question in
//! which form to answer. `kubectl vouch` tells it by this, too.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::error::ErrorKind;
use serde_json::{Value, json};
use vouch_issuer_api::shown::without_passwords;

/// The exit status of a command line that is wrong.
const WRONG: u8 = 2;

/// Says what is wrong with a command line, on standard output too when that has JSON, or prints the help or the version that
/// it asks for. No password on the line is repeated. There is nowhere to report to when a stream is closed.
#[must_use]
pub fn report(error: clap::Error, with_json: bool) -> ExitCode {
    let error = without_passwords(error);
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if with_json {
        let _ = writeln!(io::stdout(), "{:#}", answer(&error));
    }
    ExitCode::from(WRONG)
}

/// Of the same form as that of every failure.
fn answer(error: &clap::Error) -> Value {
    json!({"error": {"category": "usage", "exit_code": WRONG, "message": message(error)}})
}

/// The sentence, without the advice below it.
fn message(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "the command line names no command".to_owned();
    }
    let text = error.to_string();
    let told = text.split("\n\n").next().unwrap_or_default();
    let lines = told.strip_prefix("error: ").unwrap_or(told).lines();
    // A list of all commands is advice, too.
    lines.map(str::trim).filter(|line| !line.starts_with("[subcommands:")).collect::<Vec<_>>().join(" ")
}

/// Whether JSON is asked for somewhere on the line, whatever else is wrong with it.
#[must_use]
pub fn asks_for_json(words: &[OsString]) -> bool {
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let options = words.split(|word| *word == "--").next().unwrap_or_default();
    // Short options may stand in one word, such as `-Ao`.
    let is_short = |word: &str| word.starts_with('-') && !word.starts_with("--");
    let asks = |word: &str| word == "--output" || is_short(word) && word.ends_with('o');
    options.windows(2).any(|pair| matches!(pair, [option, "json"] if asks(option)))
        || options.iter().any(|word| {
            let option = word.strip_suffix("=json").or_else(|| word.strip_suffix("json").filter(|_| is_short(word)));
            option.is_some_and(asks)
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use clap::Parser as _;

    use super::*;
    use crate::command::Cli;

    #[test]
    fn a_program_reads_one_sentence_of_the_form_of_every_failure() {
        let told =
            |line: &str| answer(&Cli::try_parse_from(["vouch-issuer"].into_iter().chain(line.split(' '))).unwrap_err());
        let message = "invalid value 'alice' for '<EMAIL>': `alice` is not an e-mail address of the form name@domain";
        let expected = json!({"error": {"category": "usage", "exit_code": 2, "message": message}});
        assert_eq!(told("invite alice -o json"), expected);
        let message = "the following required arguments were not provided: <EMAIL>";
        assert_eq!(told("invite -o json")["error"]["message"], message);
    }

    #[test]
    fn a_line_without_a_command_is_told_without_the_help() {
        assert_eq!(message(&Cli::try_parse_from(["vouch-issuer"]).unwrap_err()), "the command line names no command");
    }

    #[test]
    fn json_is_asked_for_in_every_spelling_and_not_behind_the_last_option() {
        let asks = |line: &str| asks_for_json(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        for line in [
            "nothing -o json",
            "--output json nothing",
            "-ojson",
            "-o=json x",
            "x --output=json",
            "-Ao json",
            "-Aojson",
        ] {
            assert!(asks(line), "{line}");
        }
        for line in ["nothing", "json", "--outputjson x", "-o text json", "-o yaml", "invite -- -o json"] {
            assert!(!asks(line), "{line}");
        }
    }
}
