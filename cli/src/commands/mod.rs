//! What each command does, a file each.

pub mod agent;
pub mod aws_roles;
pub mod completions;
pub mod credential_aws;
mod desk;
mod dialogue;
pub mod doctor;
pub mod enroll;
mod issuer_choice;
#[cfg(test)]
mod key_tests;
pub mod keys;
pub mod login;
pub mod logout;
mod manual;
pub mod reference;
pub mod setup_aws;
pub mod status;

use crate::{
    args::{AwsCommand, Command, CredentialCommand, SetupCommand},
    error::Failure,
};

/// Runs a command; the value is the exit code of a command that did what was asked.
///
/// # Errors
/// Whatever kept it from its end, ready to be shown.
pub fn run(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Status(args) => return status::run(&args),
        Command::Doctor(args) => return doctor::run(&args),
        Command::Enroll(args) => enroll::run(&args),
        Command::Login(args) => login::run(&args),
        Command::Logout(args) => logout::run(&args),
        Command::Keys(command) => keys::run(&command),
        Command::Credential(CredentialCommand::Aws(args)) => credential_aws::run(args),
        Command::Setup(SetupCommand::Aws(args)) => setup_aws::run(&args),
        Command::Aws(AwsCommand::Roles(output)) => aws_roles::run(output),
        Command::Agent(command) => agent::run(&command),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => completions::man(&args),
        Command::Reference(args) => reference::run(&args),
    }?;
    Ok(0)
}
