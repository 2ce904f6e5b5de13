//! Prints how the product compares with its limits; exits with 1 when one is missed.

use std::{io, process::ExitCode};

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    vouch_bench::run(&names, &mut io::stdout().lock(), &mut io::stderr().lock())
}
