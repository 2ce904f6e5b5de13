//! An account and its users.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{NewAccount, ids};
use crate::endpoint::Partition;
use crate::policy::Document;

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
            service_control: Vec::new(),
            resource_control: Vec::new(),
        }
    }
}
