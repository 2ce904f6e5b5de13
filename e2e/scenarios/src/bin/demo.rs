//! `make demo`: one tap becomes AWS credentials in two accounts, with everything on this machine.

use std::process::ExitCode;

use clap::Parser as _;
use vouch_scenarios::demo::{self, Arguments};

fn main() -> ExitCode {
    demo::run(&Arguments::parse())
}
