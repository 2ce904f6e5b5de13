//! The role catalogue: which roles the federations declare, in which accounts, and how each is reached.
//!
//! It only finds declarations. Whether a person may take a role is decided in [`super::authorize`], and nowhere else.
//! What is found never depends on the order in which federations were declared.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use vouch_iam::arn::{AccountId, Partition, RoleArn, RoleName};

use crate::config::{
    UngovernedAccounts,
    federation::{Allow, Federation, Hub},
};

/// Every role that federations declare.
#[derive(Debug, Clone)]
pub struct Catalogue {
    pub(super) ungoverned: UngovernedAccounts,
    accounts: BTreeMap<(Partition, AccountId), Governed>,
    /// Declarations for accounts that only the organization knows.
    elsewhere: Vec<Elsewhere>,
}

/// What is known of an account that a federation names.
#[derive(Debug, Clone, Default)]
struct Governed {
    federations: BTreeSet<Arc<str>>,
    declarations: Vec<Declaration>,
}

#[derive(Debug, Clone)]
struct Elsewhere {
    partition: Partition,
    /// The federation's own account. A stack set does not reach it.
    home: AccountId,
    declaration: Declaration,
}

/// One role as one federation declares it.
#[derive(Debug, Clone)]
pub(super) struct Declaration {
    pub(super) federation: Arc<str>,
    pub(super) role: RoleName,
    pub(super) allow: Arc<Allow>,
    pub(super) access: Access,
}

/// How a role is reached.
#[derive(Debug, Clone)]
pub(super) enum Access {
    /// With an assertion of the issuer, for at most so long.
    Direct(Duration),
    /// With an assertion of the issuer, and only to go on from there.
    Hub,
    /// Through this hub.
    Through(Arc<HubRole>),
}

/// A hub, seen from a spoke.
#[derive(Debug, Clone)]
pub(super) struct HubRole {
    pub(super) role: RoleArn,
    pub(super) allow: Arc<Allow>,
}

impl Declaration {
    /// The hub that the role is reached through; `None`: it is taken directly.
    pub(super) fn hub(&self) -> Option<&RoleArn> {
        match &self.access {
            Access::Through(hub) => Some(&hub.role),
            Access::Direct(_) | Access::Hub => None,
        }
    }
}

/// What the catalogue says of a role.
#[derive(Debug)]
pub(super) enum Finding<'a> {
    /// One federation declares it, reached in one way. There may be further declarations of it, when which of them
    /// holds in this account is known to the organization alone.
    Declared { first: &'a Declaration, further: Vec<&'a Declaration> },
    /// More than one federation declares it, or one does so in contradictory ways.
    Ambiguous(BTreeSet<Arc<str>>),
    /// The account is governed, and no federation declares the role. IAM has one role of a name in an account,
    /// whatever path and case: `instead` is what that name is declared as.
    Undeclared { federations: BTreeSet<Arc<str>>, instead: Option<RoleName> },
    /// No federation has anything to say.
    Ungoverned,
}

impl Catalogue {
    /// The catalogue of these federations.
    #[must_use]
    pub fn new(federations: &[Federation], ungoverned: UngovernedAccounts) -> Self {
        let mut catalogue = Self { ungoverned, accounts: BTreeMap::new(), elsewhere: Vec::new() };
        for federation in federations {
            catalogue.add(federation);
        }
        catalogue
    }

    fn add(&mut self, federation: &Federation) {
        let name: Arc<str> = federation.name.as_str().into();
        let home = self.govern(&name, federation.partition, federation.account);
        home.declarations.extend(federation.roles.iter().map(|role| Declaration {
            federation: Arc::clone(&name),
            role: role.role.role_name().clone(),
            allow: Arc::new(role.allow.clone()),
            access: Access::Direct(role.max_session),
        }));
        if let Some(hub) = &federation.hub {
            let hub_role = Arc::new(HubRole { role: hub.role.clone(), allow: Arc::new(hub.allow.clone()) });
            home.declarations.push(Declaration {
                federation: Arc::clone(&name),
                role: hub.role.role_name().clone(),
                allow: Arc::clone(&hub_role.allow),
                access: Access::Hub,
            });
            self.add_spokes(federation, &name, hub, &hub_role);
        }
    }

    fn add_spokes(&mut self, federation: &Federation, name: &Arc<str>, hub: &Hub, hub_role: &Arc<HubRole>) {
        for spoke in &hub.spokes {
            let declaration = Declaration {
                federation: Arc::clone(name),
                role: spoke.role.clone(),
                allow: Arc::new(spoke.allow.clone()),
                access: Access::Through(Arc::clone(hub_role)),
            };
            for account in &spoke.accounts {
                self.govern(name, federation.partition, *account).declarations.push(declaration.clone());
            }
            if spoke.in_organizational_units {
                let (partition, home) = (federation.partition, federation.account);
                self.elsewhere.push(Elsewhere { partition, home, declaration });
            }
        }
    }

    fn govern(&mut self, federation: &Arc<str>, partition: Partition, account: AccountId) -> &mut Governed {
        let governed = self.accounts.entry((partition, account)).or_default();
        governed.federations.insert(Arc::clone(federation));
        governed
    }

    /// What the federations declare of a role.
    ///
    /// Declarations that name the account come first. Those for organizational units count where no federation names
    /// the account, or where their own does without declaring the role there.
    pub(super) fn find(&self, role: &RoleArn) -> Finding<'_> {
        let governed = self.accounts.get(&(role.partition(), role.account_id()));
        let named = governed.map(|governed| governed.declarations.iter().collect()).unwrap_or_default();
        let elsewhere = self.elsewhere_in(role, governed);
        for candidates in [named, elsewhere] {
            if let Some(finding) = among(candidates, role.role_name()) {
                return finding;
            }
        }
        match governed {
            Some(governed) => Finding::Undeclared { federations: governed.federations.clone(), instead: None },
            None => Finding::Ungoverned,
        }
    }

    fn elsewhere_in(&self, role: &RoleArn, governed: Option<&Governed>) -> Vec<&Declaration> {
        let may_speak = |elsewhere: &&Elsewhere| {
            elsewhere.partition == role.partition()
                && elsewhere.home != role.account_id()
                && governed.is_none_or(|governed| governed.federations.contains(&elsewhere.declaration.federation))
        };
        self.elsewhere.iter().filter(may_speak).map(|elsewhere| &elsewhere.declaration).collect()
    }

    /// Every role in a named account that people take for itself.
    pub(super) fn named_roles(&self) -> impl Iterator<Item = RoleArn> + '_ {
        self.accounts.iter().flat_map(|((partition, account), governed)| {
            let roles: BTreeSet<&RoleName> = governed
                .declarations
                .iter()
                .filter(|declaration| !matches!(declaration.access, Access::Hub))
                .map(|declaration| &declaration.role)
                .collect();
            roles.into_iter().map(|role| role.in_account(*partition, *account))
        })
    }
}

/// What these declarations say of a role; `None` when they do not speak of its name.
fn among<'a>(candidates: Vec<&'a Declaration>, role: &RoleName) -> Option<Finding<'a>> {
    let same_name: Vec<&Declaration> =
        candidates.into_iter().filter(|candidate| candidate.role.name().eq_ignore_ascii_case(role.name())).collect();
    let federations: BTreeSet<Arc<str>> = same_name.iter().map(|found| Arc::clone(&found.federation)).collect();
    let instead = same_name.iter().map(|found| &found.role).min()?;
    let mut declarations = same_name.iter().copied().filter(|found| found.role == *role);
    let Some(first) = declarations.next() else {
        return Some(Finding::Undeclared { federations, instead: Some(instead.clone()) });
    };
    let further: Vec<&Declaration> = declarations.collect();
    let contradictory = same_name.iter().any(|found| found.role != *role || found.hub() != first.hub());
    if federations.len() > 1 || contradictory {
        return Some(Finding::Ambiguous(federations));
    }
    Some(Finding::Declared { first, further })
}
