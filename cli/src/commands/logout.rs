//! `vouch logout`.

use crate::{
    agent::{client::Client, protocol::Request},
    args::LogoutArgs,
    console,
    error::Failure,
};

/// Runs the command.
///
/// # Errors
/// With `--everywhere`: when there is no session to ask with, or the issuer cannot be asked; the session here then
/// stays.
pub fn run(args: &LogoutArgs) -> Result<(), Failure> {
    match Client::connect()? {
        Some(mut client) => {
            client.call(Request::Logout { everywhere: args.everywhere })?;
        }
        None if args.everywhere => return Err(Failure::not_signed_in(None)),
        None => {}
    }
    console::note(if args.everywhere {
        "Signed out on every machine. Credentials that programs hold already end by themselves, within the hour for most."
    } else {
        "Signed out. Credentials that programs hold already end by themselves, within the hour for most."
    });
    Ok(())
}
