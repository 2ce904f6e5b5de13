//! `vouch aws roles`: the person's own catalogue.

use serde_json::json;
use vouch_issuer_api::aws::AwsRole;

use crate::{
    agent::{
        client::Client,
        protocol::{Reply, Request},
    },
    args::Output,
    console,
    error::{Category, Failure},
    table, wording,
};

/// Runs the command.
///
/// # Errors
/// When nobody is signed in or the issuer cannot be asked.
pub fn run(output: Output) -> Result<(), Failure> {
    let mut client = Client::connect()?.ok_or_else(|| Failure::not_signed_in(None))?;
    let Reply::AwsRoles { roles, .. } = client.call(Request::AwsRoles)? else {
        return Err(Failure::new(Category::General, "the agent gave an answer to another question"));
    };
    if output.json() {
        return console::print_json(&json!({ "roles": roles }));
    }
    if roles.is_empty() {
        console::note(
            "No federation lets you take a role. Roles in accounts outside of any federation are not listed.",
        );
        return Ok(());
    }
    console::print(&rendered(&roles))
}

fn rendered(roles: &[AwsRole]) -> String {
    let header = ["ACCOUNT", "ROLE", "REACHED", "AT MOST", "FEDERATION", "ARN"].map(str::to_owned);
    let rows = roles.iter().map(|listed| {
        let reached =
            listed.via.as_ref().map_or_else(|| "directly".to_owned(), |hub| format!("via hub {}", hub.account()));
        [
            listed.role.account().to_owned(),
            listed.role.name().to_owned(),
            reached,
            wording::duration(i64::from(listed.max_session_seconds)),
            listed.federation.clone(),
            listed.role.to_string(),
        ]
    });
    table::aligned(std::iter::once(header).chain(rows))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_role_is_shown_with_the_way_to_it() {
        let role = |account: &str, via: Option<&str>| AwsRole {
            role: format!("arn:aws:iam::{account}:role/vouch/VouchAccess").parse().unwrap(),
            federation: "vouch/acme".to_owned(),
            via: via.map(|hub| hub.parse().unwrap()),
            max_session_seconds: 3600,
        };
        let hub = "arn:aws:iam::999999999999:role/vouch/VouchAccess";
        let text = rendered(&[role("111111111111", Some(hub)), role("222222222222", None)]);
        let expected = "\
ACCOUNT       ROLE         REACHED               AT MOST  FEDERATION  ARN
111111111111  VouchAccess  via hub 999999999999  1 h      vouch/acme  arn:aws:iam::111111111111:role/vouch/VouchAccess
222222222222  VouchAccess  directly              1 h      vouch/acme  arn:aws:iam::222222222222:role/vouch/VouchAccess";
        assert_eq!(text, expected);
    }
}
