//! Everything a developer runs: the vouch command, its agent and its credential helpers.
//!
//! Three ways in, from the cheapest to the richest: [`hot_path`] answers `vouch credential aws` with nothing but a
//! unix socket, [`commands`] run what the person typed, and [`agent`] is the process that outlives them, with the
//! session and every secret in its memory.

pub mod agent;
pub mod args;
pub mod atomic_file;
pub mod aws_config;
pub mod ceremony;
pub mod clock;
pub mod commands;
pub mod config;
pub mod console;
pub mod env;
pub mod error;
pub mod file_failure;
pub mod hot_path;
pub mod interrupt;
pub mod issuer_url;
pub mod network;
pub mod overrides;
pub mod paths;
pub mod prompt;
pub mod region;
pub mod security_key;
pub mod session_length;
pub mod table;
pub mod wording;

use std::{ffi::OsString, process::ExitCode};

use crate::{args::Arguments, config::Config, error::Category};

/// Runs the command line `argv`, the program's name included, and says how it went.
#[must_use]
pub fn run(argv: Vec<OsString>) -> ExitCode {
    if let Some(code) = hot_path::run(&argv) {
        return code;
    }
    let arguments = match Arguments::read(argv) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to stdout and are no failure.
            let code = if error.use_stderr() { Category::Usage.exit_code() } else { 0 };
            return match error.print() {
                Ok(()) => ExitCode::from(code),
                Err(_) => ExitCode::from(Category::General.exit_code()),
            };
        }
    };
    let (verbose, output) = (arguments.verbose, arguments.command.output());
    match commands::run(arguments.command) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            let failure = Config::explain(failure);
            console::note(&failure.render(verbose));
            if output.json() {
                // The exit code says the same, should stdout be closed.
                let _unheard = console::print_json(&failure.to_json());
            }
            ExitCode::from(failure.category.exit_code())
        }
    }
}
