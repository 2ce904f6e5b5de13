//! `vouch credential aws`, when the command line was too unusual for the hot path.

use crate::{
    agent::protocol::AwsCredentialsRequest, args::CredentialAwsArgs, env::Variable, error::Failure, hot_path, region,
};

/// Prints the credentials.
///
/// # Errors
/// As [`hot_path::fetch`].
pub fn run(args: CredentialAwsArgs) -> Result<(), Failure> {
    let CredentialAwsArgs { role, via, duration, region } = args;
    let region = region::choose(region.as_deref(), &Variable::get, &role)?;
    hot_path::print(&hot_path::fetch(AwsCredentialsRequest { role, via, duration, region })?)
}
