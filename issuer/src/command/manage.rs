//! Administration commands.

use std::sync::Arc;

use serde::Serialize;

use super::{
    Command, Failure, Files, InviteArgs, KeysArgs, KeysCommand, Output, Person, RemoveKeyArgs, UsersArgs, UsersCommand,
    open::{self, Unread},
    print,
};
use crate::{
    admin::{
        AdminError, Office,
        invite::{Invitation, InviteOffice},
        keys::KeyOffice,
    },
    clock::SystemClock,
    database::Database,
    identity::secrets::Secrets,
};

/// Carries out one command.
pub(super) async fn manage(command: Command, output: Output) -> Result<(), Failure> {
    match command {
        Command::Invite(args) => invite(args, output).await,
        Command::Users(UsersArgs { command, files }) => match command.unwrap_or(UsersCommand::List) {
            UsersCommand::List => order(Unread::GoOn, &files, output, async |office| office.users().await).await,
            UsersCommand::Show { email } => {
                order(Unread::GoOn, &files, output, async |office| office.show(&email).await).await
            }
        },
        Command::Disable(Person { email, files }) => {
            order(Unread::GoOn, &files, output, async |office| office.disable(&email).await).await
        }
        Command::Enable(Person { email, files }) => {
            order(Unread::Refuse, &files, output, async |office| office.enable(&email).await).await
        }
        Command::Logout(Person { email, files }) => {
            order(Unread::GoOn, &files, output, async |office| office.logout(&email).await).await
        }
        Command::RemoveKey(RemoveKeyArgs { person: Person { email, files }, key_id, allow_last }) => {
            order(Unread::GoOn, &files, output, async |office| office.remove_key(&email, &key_id, allow_last).await)
                .await
        }
        Command::Keys(keys) => manage_keys(keys, output).await,
        Command::Serve(_)
        | Command::Init(_)
        | Command::AcceptUrl(_)
        | Command::Check(_)
        | Command::CheckEndpoint(_)
        | Command::Reference => Ok(()),
    }
}

async fn invite(args: InviteArgs, output: Output) -> Result<(), Failure> {
    let files = &args.person.files;
    let (config, database) = open::open_own(files).await?;
    let secrets = Secrets::load(&database).await.map_err(AdminError::from)?;
    let office = Office::open(Some(config.users.clone()), &database, Arc::new(SystemClock), files.front_end());
    let office = InviteOffice::new(office, config, secrets);
    let invitation = Invitation { email: args.person.email.clone(), groups: args.groups, expires: args.expires };
    settled(&database, output, office.invite(&invitation)).await
}

async fn manage_keys(KeysArgs { command, files }: KeysArgs, output: Output) -> Result<(), Failure> {
    match command.unwrap_or(KeysCommand::Show) {
        KeysCommand::Show => order_keys(Unread::GoOn, &files, output, async |office| office.keys().await).await,
        KeysCommand::Rotate => {
            order_keys(Unread::Refuse, &files, output, async |office| office.rotate_keys().await).await
        }
        KeysCommand::AcceptClock => {
            order_keys(Unread::Refuse, &files, output, async |office| office.accept_clock().await).await
        }
        KeysCommand::Revoke { kid, now } => {
            order_keys(Unread::GoOn, &files, output, async |office| office.revoke_key(&kid, now).await).await
        }
    }
}

async fn order<T: Serialize + std::fmt::Display>(
    unread: Unread,
    files: &Files,
    output: Output,
    work: impl AsyncFnOnce(&Office) -> Result<T, AdminError>,
) -> Result<(), Failure> {
    let (config, database) = open::open_with(unread, files).await?;
    let office = Office::open(config.map(|config| config.users), &database, Arc::new(SystemClock), files.front_end());
    settled(&database, output, work(&office)).await
}

async fn order_keys<T: Serialize + std::fmt::Display>(
    unread: Unread,
    files: &Files,
    output: Output,
    work: impl AsyncFnOnce(&KeyOffice) -> Result<T, AdminError>,
) -> Result<(), Failure> {
    let (config, database) = open::open_with(unread, files).await?;
    let policy = config.map(|config| config.key_policy);
    let office = KeyOffice::new(policy, database.clone(), Arc::new(SystemClock), files.front_end());
    settled(&database, output, work(&office)).await
}

/// Does the work, leaves the database's file complete whatever came of it, and answers.
async fn settled<T: Serialize + std::fmt::Display>(
    database: &Database,
    output: Output,
    work: impl Future<Output = Result<T, AdminError>>,
) -> Result<(), Failure> {
    let outcome = work.await;
    open::settle(database).await;
    print(output, &outcome?)
}
