//! No two declarations speak of one role.
//!
//! IAM has one role of a name in an account, whatever its path and the case of its letters, so two declarations of it
//! would contradict each other, and the issuer would have to guess whose `allow` counts.

use std::collections::HashMap;

use vouch_iam::arn::{AccountId, Partition, RoleName};

use crate::config::{federation::Federation, manifest::Manifest, problem::Problem};

/// A role that a federation declares in an account it names.
struct Claim<'a> {
    account: AccountId,
    role: &'a RoleName,
    field: String,
}

/// Reports every claim on a role that an earlier one has claimed.
pub(super) fn check(federations: &[(&Manifest, Federation)], problems: &mut Vec<Problem>) {
    let mut taken: HashMap<(Partition, AccountId, String), (&str, String)> = HashMap::new();
    for (manifest, federation) in federations {
        for Claim { account, role, field } in claims(federation) {
            let key = (federation.partition, account, role.name().to_ascii_lowercase());
            if let Some((by, at)) = taken.get(&key) {
                let reason = format!(
                    "declares role {role} in account {account}, which AwsFederation {by} declares already ({at}); \
                     IAM has one role of a name in an account"
                );
                problems.push(manifest.problem(&field, reason));
            } else {
                taken.insert(key, (&federation.name, field));
            }
        }
    }
}

fn claims(federation: &Federation) -> Vec<Claim<'_>> {
    let account = federation.account;
    let mut claims = Vec::new();
    for (index, role) in federation.roles.iter().enumerate() {
        claims.push(Claim { account, role: role.role.role_name(), field: format!("spec.roles[{index}].name") });
    }
    if let Some(hub) = &federation.hub {
        claims.push(Claim { account, role: hub.role.role_name(), field: "spec.hub.name".to_owned() });
        for (index, spoke) in hub.spokes.iter().enumerate() {
            let named = spoke.accounts.iter();
            claims.extend(named.map(|&account| Claim {
                account,
                role: &spoke.role,
                field: format!("spec.spokes[{index}].name"),
            }));
        }
    }
    claims
}
