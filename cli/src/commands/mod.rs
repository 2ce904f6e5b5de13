//! What each command does, a file each.

pub mod credential_aws;

use crate::{
    args::{Command, CredentialCommand},
    error::Failure,
};

/// Runs a command.
///
/// # Errors
/// Whatever kept it from its end, ready to be shown.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Credential(CredentialCommand::Aws(args)) => credential_aws::run(args),
        _ => Ok(()),
    }
}
