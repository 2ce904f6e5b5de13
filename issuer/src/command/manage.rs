//! Administration commands.

use std::{
    io::{IsTerminal, Write},
    sync::Arc,
};

use super::{Command, Failure, Files, KeysCommand, Output, UsersCommand, open, print};
use crate::{
    admin::{Office, invite::Invitation},
    audit::Audit,
    clock::SystemClock,
};

/// Carries out one command.
pub(super) async fn manage(command: Command, output: Output) -> Result<(), Failure> {
    match command {
        Command::Invite(args) => {
            let office = office(&args.person.files).await?;
            let invitation = Invitation { email: args.person.email, groups: args.groups, expires: args.expires };
            print(output, &office.invite(&invitation).await?)
        }
        Command::Users(UsersCommand::List(files)) => print(output, &office(&files).await?.users().await?),
        Command::Users(UsersCommand::Show(person)) => {
            print(output, &office(&person.files).await?.show(&person.email).await?)
        }
        Command::Disable(person) => print(output, &office(&person.files).await?.disable(&person.email).await?),
        Command::Enable(person) => print(output, &office(&person.files).await?.enable(&person.email).await?),
        Command::Logout(person) => print(output, &office(&person.files).await?.logout(&person.email).await?),
        Command::RemoveKey(args) => {
            let office = office(&args.person.files).await?;
            print(output, &office.remove_key(&args.person.email, &args.key_id, args.allow_last).await?)
        }
        Command::Keys(keys) => manage_keys(keys, output).await,
        Command::Serve(_) | Command::Init(_) | Command::Check(_) | Command::Reference => Ok(()),
    }
}

async fn manage_keys(command: KeysCommand, output: Output) -> Result<(), Failure> {
    match command {
        KeysCommand::Show(files) => print(output, &office(&files).await?.keys().await?),
        KeysCommand::Rotate(files) => print(output, &office(&files).await?.rotate_keys().await?),
        KeysCommand::AcceptClock(files) => print(output, &office(&files).await?.accept_clock().await?),
        KeysCommand::Revoke(args) => print(output, &office(&args.files).await?.revoke_key(&args.kid, args.now).await?),
    }
}

async fn office(files: &Files) -> Result<Office, Failure> {
    let (config, database) = open::open(files)?;
    Ok(Office::new(config, database, trail(), Arc::new(SystemClock)).await?)
}

/// Standard output is the answer's, so the audit line goes to standard error, and not in front of a person.
fn trail() -> Audit {
    let err = std::io::stderr();
    let out: Box<dyn Write + Send> = if err.is_terminal() { Box::new(std::io::sink()) } else { Box::new(err) };
    Audit::to(out)
}
