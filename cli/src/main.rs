//! The `vouch` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    vouch_cli::run(std::env::args_os().collect())
}
