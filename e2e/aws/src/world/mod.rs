//! The state of all accounts.
//!
//! Every change is made under one lock by one call, so that there is no order to get wrong; delays that real AWS has
//! between services are knobs, applied where STS reads.

pub mod account;
pub mod ids;
pub mod managed_policy;
pub mod provider;
pub mod role;
pub mod session;
pub mod tags;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::Value;

use crate::endpoint::Partition;
use crate::policy::Document;
pub use account::{Account, User};
pub use managed_policy::{ManagedPolicy, PolicyVersion};
pub use provider::OidcProvider;
pub use role::{InlinePolicy, Role, Trust};
pub use session::{AccessKey, Caller, KeyOwner, Session, SessionPolicy, UserCaller, WebIdentity};
pub use tags::{KeyCase, Tags};

/// An account to create.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Twelve digits.
    pub id: String,
    /// Account alias.
    pub alias: Option<String>,
    /// `o-…` of the organisation it is a member of.
    pub organization: Option<String>,
    /// Partition.
    pub partition: Partition,
}

/// All accounts and access keys.
#[derive(Debug, Default)]
pub struct World {
    accounts: BTreeMap<String, Account>,
    keys: HashMap<String, AccessKey>,
}

impl World {
    /// Creates an account with a user `admin`, and returns that user's access key.
    ///
    /// # Errors
    /// A sentence when the id is not twelve digits or exists already.
    pub fn create_account(&mut self, new: NewAccount, now: Timestamp) -> Result<AccessKey, String> {
        if new.id.len() != 12 || !new.id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("'{}' is not an account id of twelve digits", new.id));
        }
        if self.accounts.contains_key(&new.id) {
            return Err(format!("account {} exists already", new.id));
        }
        let account = Account::new(new, now);
        let key = AccessKey {
            id: ids::unique_id("AKIA", 16),
            secret: ids::secret_access_key(),
            owner: KeyOwner::User { account: account.id.clone(), user: account::ADMIN.to_owned() },
        };
        self.accounts.insert(account.id.clone(), account);
        self.keys.insert(key.id.clone(), key.clone());
        Ok(key)
    }

    /// Sets the organisation's policies that reach an account, beside the ones that allow everything.
    ///
    /// # Errors
    /// A sentence when there is no such account, or a document is none.
    pub fn set_organization_policies(
        &mut self,
        id: &str,
        service: Option<&[Value]>,
        resource: Option<&[Value]>,
    ) -> Result<(), String> {
        let read = |values: &[Value]| {
            values
                .iter()
                .map(Document::from_value)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| format!("a policy cannot be read: {error}"))
        };
        let (service, resource) = (service.map(read).transpose()?, resource.map(read).transpose()?);
        let account = self.accounts.get_mut(id).ok_or_else(|| format!("there is no account {id}"))?;
        if let Some(documents) = service {
            account.service_control = documents;
        }
        if let Some(documents) = resource {
            account.resource_control = documents;
        }
        Ok(())
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// An account, to change it.
    pub fn account_mut(&mut self, id: &str) -> Option<&mut Account> {
        self.accounts.get_mut(id)
    }

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// An access key.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&AccessKey> {
        self.keys.get(id)
    }

    /// Adds an access key.
    pub fn add_key(&mut self, key: AccessKey) {
        self.keys.insert(key.id.clone(), key);
    }
}
