//! An account and its users.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{ManagedPolicy, NewAccount, OidcProvider, Role, ids};
use crate::endpoint::Partition;
use crate::policy::{Document, managed};

/// The user every account starts with.
pub const ADMIN: &str = "admin";

/// An account.
#[derive(Debug)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// Account alias.
    pub alias: Option<String>,
    /// Organisation it is a member of.
    pub organization: Option<String>,
    /// Partition.
    pub partition: Partition,
    /// Users by name.
    pub users: BTreeMap<String, User>,
    /// Roles by lower-case name.
    pub roles: BTreeMap<String, Role>,
    /// OIDC providers by ARN.
    pub providers: BTreeMap<String, OidcProvider>,
    /// Customer-managed policies by ARN.
    pub policies: BTreeMap<String, ManagedPolicy>,
    /// Service control policies that reach the account.
    pub service_control: Vec<Document>,
    /// Resource control policies that reach the account.
    pub resource_control: Vec<Document>,
}

/// An IAM user.
#[derive(Debug, Clone)]
pub struct User {
    /// Name.
    pub name: String,
    /// `AIDA…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// When it was created.
    pub created: Timestamp,
    /// ARNs of attached policies.
    pub attached: Vec<String>,
}

impl Account {
    /// An account with nothing in it but the user `admin`.
    #[must_use]
    pub fn new(new: NewAccount, now: Timestamp) -> Self {
        let partition = new.partition.id();
        let admin = User {
            name: ADMIN.to_owned(),
            id: ids::unique_id("AIDA", 17),
            arn: format!("arn:{partition}:iam::{}:user/{ADMIN}", new.id),
            created: now,
            attached: vec![format!("arn:{partition}:iam::aws:policy/AdministratorAccess")],
        };
        Self {
            id: new.id,
            alias: new.alias,
            organization: new.organization,
            partition: new.partition,
            users: BTreeMap::from([(ADMIN.to_owned(), admin)]),
            roles: BTreeMap::new(),
            providers: BTreeMap::new(),
            policies: BTreeMap::new(),
            service_control: Vec::new(),
            resource_control: Vec::new(),
        }
    }

    /// A role by name, without regard to case.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(&name.to_lowercase())
    }

    /// A role by name, to change it.
    pub fn role_mut(&mut self, name: &str) -> Option<&mut Role> {
        self.roles.get_mut(&name.to_lowercase())
    }

    /// A role by its full ARN, which AWS compares exactly.
    #[must_use]
    pub fn role_by_arn(&self, arn: &str) -> Option<&Role> {
        self.role(arn.rsplit('/').next()?).filter(|role| role.arn == arn)
    }

    /// The document in force of a managed policy, AWS's or the account's own.
    #[must_use]
    pub fn policy_document(&self, arn: &str) -> Option<Document> {
        match managed::find(arn) {
            Some(policy) => Document::parse(policy.document).ok(),
            None => self.policies.get(arn)?.document().cloned(),
        }
    }
}
