//! `vouch logout`.

use serde_json::json;

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
    let signed_out = match Client::connect()? {
        Some(mut client) => {
            let has_session = super::agent::status(&mut client)?.session.is_some();
            // Without a session the agent has nothing to forget, and nothing to reach other machines with.
            if has_session || args.everywhere {
                client.call(Request::Logout { everywhere: args.everywhere })?;
            }
            has_session
        }
        None if args.everywhere => return Err(Failure::not_signed_in(None)),
        None => false,
    };
    console::note(match (signed_out, args.everywhere) {
        (false, _) => "Nobody was signed in.",
        (true, true) => {
            "Signed out on every machine. Credentials that programs hold already end by themselves, within the hour for most."
        }
        (true, false) => {
            "Signed out. Credentials that programs hold already end by themselves, within the hour for most."
        }
    });
    if args.output.json() {
        console::print_json(&json!({ "signed_out": signed_out, "everywhere": args.everywhere }))
    } else {
        Ok(())
    }
}
