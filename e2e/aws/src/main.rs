//! The `aws-standin` program: see the library for what it does.

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    aws_standin::run::run(aws_standin::run::Arguments::parse()).await
}
