//! `kubectl vouch`: what an administrator does beside `kubectl apply`.
//!
//! It holds no right of its own: everything is asked of the API server with the kubeconfig of whoever runs it. People are
//! looked after by the same code as in an issuer that runs alone ([`people`]); keys are changed by the operator alone, on
//! order ([`orders`]). It never reads a signing key.

pub mod access;
pub mod args;
pub mod complete;
pub mod connect;
pub mod example;
pub mod issuer;
pub mod keys;
pub mod orders;
pub mod patience;
pub mod people;
pub mod progress;
pub mod reference;
pub mod refusal;
pub mod status;
#[cfg(test)]
mod testing;
pub mod trouble;

use std::{
    env,
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
};

use jiff::Timestamp;
use serde::Serialize;
use vouch_issuer::command::usage;

use self::{
    args::{Cli, ClusterArgs, ClusterCommand, Command, KeysCommand, OrderCommand, Output},
    connect::Connection,
    keys::{IssuerKeys, KeyTable},
    orders::Order,
    trouble::Trouble,
};

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<OsString> = env::args_os().collect();
    let cli = match Cli::read(&words) {
        Ok(cli) => cli,
        Err(error) => return usage::report(error, usage::asks_for_json(&words)),
    };
    let output = cli.output;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever closes the pipe has read enough.
        Err(Trouble::System(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(trouble) => {
            trouble::report(&trouble, output);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Trouble> {
    match cli.command {
        Command::Example(example) => print(cli.output, &example::manifest(example, &cli.cluster)),
        Command::Completions(args) => write(&complete::script(args.shell)),
        Command::Complete(args) => write(&complete::candidates(&args.words)),
        Command::Cluster(command) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(ask(command, &cli.cluster, cli.output))
        }
    }
}

/// Carries out a command that needs the cluster.
async fn ask(command: ClusterCommand, cluster: &ClusterArgs, output: Output) -> Result<(), Trouble> {
    let connection = Connection::open(cluster).await?;
    let answered = answer(&connection, command, cluster, output).await;
    answered.map_err(|trouble| connection.explain(trouble))
}

async fn answer(
    connection: &Connection,
    command: ClusterCommand,
    cluster: &ClusterArgs,
    output: Output,
) -> Result<(), Trouble> {
    let issuer = cluster.issuer.as_deref();
    let keys = async || IssuerKeys::try_from(&issuer::identify(connection, issuer).await?);
    let order = async |command: OrderCommand| {
        let (order, patience) = match command {
            OrderCommand::Rotate(patience) => (Order::Rotate, patience),
            OrderCommand::AcceptClock(patience) => (Order::AcceptClock, patience),
            OrderCommand::RevokeKey(args) => (Order::Revoke { kid: args.kid, now: args.now }, args.patience),
        };
        print(output, &orders::give(connection, &keys().await?, &order, patience.timeout, Timestamp::now).await?)
    };
    match command {
        ClusterCommand::Status(args) if args.all_namespaces => {
            print(output, &status::look_everywhere(connection, Timestamp::now()).await?)
        }
        ClusterCommand::Status(_) => print(output, &status::look(connection, issuer, Timestamp::now()).await?),
        ClusterCommand::People(command) => people::answer(connection, issuer, command, output).await,
        ClusterCommand::Order(command) => order(command).await,
        ClusterCommand::Keys(args) => match args.command {
            Some(KeysCommand::Order(command)) => order(command).await,
            None | Some(KeysCommand::Show) => print(output, &KeyTable::of(&keys().await?, Timestamp::now())),
        },
    }
}

fn write(text: &str) -> Result<(), Trouble> {
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

fn print(output: Output, answer: &(impl Serialize + std::fmt::Display)) -> Result<(), Trouble> {
    match output {
        Output::Text => write(&answer.to_string()),
        Output::Json => write(&(serde_json::to_string_pretty(answer)? + "\n")),
    }
}
