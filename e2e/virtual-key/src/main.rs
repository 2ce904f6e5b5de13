//! A FIDO2 security key in software. `virtual-key --help` tells how to put it under a program.

use std::process::ExitCode;

use clap::Parser as _;
use virtual_key::options::Options;

fn main() -> ExitCode {
    match virtual_key::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("virtual-key: {error}");
            ExitCode::FAILURE
        }
    }
}
