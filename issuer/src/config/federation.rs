//! Federations as the issuer reads them: which people may take which roles. What the operator keeps in AWS besides
//! (policies, guardrails, deliveries) is not the issuer's business and is not here.

use std::{collections::BTreeSet, fmt, time::Duration};

use vouch_iam::{
    arn::{AccountId, Partition, RoleArn, RoleName},
    identity::{EmailAddress, EmailDomain},
};

/// An `AwsFederation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federation {
    /// `namespace/name`, or `name` when the manifest names no namespace.
    pub name: String,
    /// Of every account in it.
    pub partition: Partition,
    /// The account of `roles` and of the hub.
    pub account: AccountId,
    /// Roles that people take directly.
    pub roles: Vec<DirectRole>,
    /// The role through which other accounts are reached, and the roles there.
    pub hub: Option<Hub>,
}

/// A role that people take directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectRole {
    /// In the federation's account.
    pub role: RoleArn,
    /// Who may take it.
    pub allow: Allow,
    /// The longest session that AWS grants; 1 to 12 hours.
    pub max_session: Duration,
}

/// The role through which spokes are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    /// In the federation's account.
    pub role: RoleArn,
    /// Who may take it, and through it any spoke that allows them as well.
    pub allow: Allow,
    /// Roles in other accounts.
    pub spokes: Vec<Spoke>,
}

/// A role in other accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoke {
    /// The same in every account.
    pub role: RoleName,
    /// Who may take it.
    pub allow: Allow,
    /// Accounts that the manifest names, overrides included.
    pub accounts: BTreeSet<AccountId>,
    /// It is also in accounts that only the organization knows.
    pub in_organizational_units: bool,
}

/// Who may take a role: whoever is matched by any entry of any list. Nobody, when all are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allow {
    /// Everybody with an address in one of these very domains.
    pub domains: BTreeSet<EmailDomain>,
    /// These people.
    pub emails: BTreeSet<EmailAddress>,
    /// Everybody in one of these groups.
    pub groups: BTreeSet<String>,
}

impl Allow {
    /// Whether a person is matched by any entry.
    #[must_use]
    pub fn matches(&self, email: &EmailAddress, groups: &[String]) -> bool {
        self.emails.contains(email)
            || self.domains.iter().any(|domain| domain.contains(email))
            || groups.iter().any(|group| self.groups.contains(group))
    }
}

/// As in a sentence after "allows": `bob@example.com and group release`.
impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let emails = self.emails.iter().map(ToString::to_string);
        let domains = self.domains.iter().map(|domain| format!("*@{domain}"));
        let groups = self.groups.iter().map(|group| format!("group {group}"));
        let entries: Vec<String> = emails.chain(domains).chain(groups).collect();
        match entries.as_slice() {
            [] => f.write_str("nobody"),
            [only] => f.write_str(only),
            [first @ .., last] => write!(f, "{} and {last}", first.join(", ")),
        }
    }
}
