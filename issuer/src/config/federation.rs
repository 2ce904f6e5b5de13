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

/// More names than this do not help a person, who reads them in one sentence.
const NAMED: usize = 5;

/// As in a sentence after "allows": `bob@example.com and group release`.
impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entries: Vec<String> = self.emails.iter().take(NAMED).map(ToString::to_string).collect();
        if let Some(others @ 1..) = self.emails.len().checked_sub(NAMED) {
            entries.push(format!("{others} more people"));
        }
        entries.extend(self.domains.iter().map(|domain| format!("*@{domain}")));
        entries.extend(self.groups.iter().map(|group| format!("group {group}")));
        match entries.as_slice() {
            [] => f.write_str("nobody"),
            [only] => f.write_str(only),
            [first @ .., last] => write!(f, "{} and {last}", first.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn allow(emails: &[&str], domains: &[&str], groups: &[&str]) -> Allow {
        Allow {
            emails: emails.iter().map(|email| email.parse().unwrap()).collect(),
            domains: domains.iter().map(|domain| domain.parse().unwrap()).collect(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
        }
    }

    #[test]
    fn any_entry_of_any_list_suffices_and_none_means_nobody() {
        let alice = "alice@example.com".parse().unwrap();
        let groups = ["engineering".to_owned()];
        assert!(allow(&["alice@example.com"], &[], &[]).matches(&alice, &[]));
        assert!(allow(&[], &["example.com"], &[]).matches(&alice, &[]));
        assert!(allow(&[], &[], &["engineering"]).matches(&alice, &groups));
        assert!(allow(&["bob@example.com"], &["example.org"], &["engineering"]).matches(&alice, &groups));
        assert!(!allow(&["bob@example.com"], &["example.org"], &["release"]).matches(&alice, &groups));
        assert!(!Allow::default().matches(&alice, &groups));
    }

    #[test]
    fn a_domain_is_no_suffix() {
        let allow = allow(&[], &["example.com"], &[]);
        for text in ["alice@evil-example.com", "alice@example.com.evil", "alice@sub.example.com"] {
            assert!(!allow.matches(&text.parse().unwrap(), &[]), "{text}");
        }
        assert!(allow.matches(&"ALICE@EXAMPLE.COM".parse().unwrap(), &[]));
    }

    #[test]
    fn a_group_is_compared_letter_by_letter() {
        let alice = "alice@example.com".parse().unwrap();
        assert!(!allow(&[], &[], &["release"]).matches(&alice, &["Release".to_owned(), "release2".to_owned()]));
    }

    #[test]
    fn people_read_whom_it_allows_as_a_sentence() {
        assert_eq!(allow(&["bob@example.com"], &[], &["release"]).to_string(), "bob@example.com and group release");
        assert_eq!(allow(&[], &["example.com"], &[]).to_string(), "*@example.com");
        assert_eq!(Allow::default().to_string(), "nobody");
        let many: Vec<String> = (0..9).map(|n| format!("p{n}@example.com")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(
            allow(&many, &[], &["release"]).to_string(),
            "p0@example.com, p1@example.com, p2@example.com, p3@example.com, p4@example.com, 4 more people and group release"
        );
    }
}
