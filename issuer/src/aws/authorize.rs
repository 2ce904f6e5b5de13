//! Who may take which AWS role: the one decision, and the proof that it was made.
//!
//! An assertion is minted only from an [`AuthorizedRole`], and only [`Catalogue::authorize`] makes one. Nothing here
//! looks at time, network or store: the same people and federations always lead to the same answer.

use std::{fmt, sync::Arc, time::Duration};

use vouch_iam::{
    arn::{RoleArn, RoleName},
    identity::EmailAddress,
};
use vouch_issuer_api::aws::AwsRole;

use super::catalogue::{Access, Catalogue, Declaration, Finding};
use crate::config::{UngovernedAccounts, federation::Allow};

/// AWS grants a role that was reached through another one for at most one hour ("Role chaining", IAM User Guide).
const CHAINED_SESSION: Duration = Duration::from_secs(3600);

/// Whom a decision is about.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// Verified, in lower case.
    pub email: &'a EmailAddress,
    /// Groups on the issuer's side; AWS does not know them.
    pub groups: &'a [String],
}

/// Proof that a person may take a role now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizedRole {
    email: EmailAddress,
    role: RoleArn,
    hub: Option<RoleArn>,
    federation: Option<Arc<str>>,
    max_session: Option<Duration>,
}

impl AuthorizedRole {
    /// Whom it was granted to. An assertion for this role is about nobody else.
    #[must_use]
    pub const fn email(&self) -> &EmailAddress {
        &self.email
    }

    /// The role that was asked for.
    #[must_use]
    pub const fn role(&self) -> &RoleArn {
        &self.role
    }

    /// The role that the assertion is for: the hub, or the role itself.
    #[must_use]
    pub fn first_hop(&self) -> &RoleArn {
        self.hub.as_ref().unwrap_or(&self.role)
    }

    /// The roles to assume in order: one, or the hub and then the role asked for.
    #[must_use]
    pub fn chain(&self) -> Vec<RoleArn> {
        self.hub.iter().chain([&self.role]).cloned().collect()
    }

    /// The federation that declares it, as `namespace/name` or `name`; `None` in an ungoverned account.
    #[must_use]
    pub fn federation(&self) -> Option<&str> {
        self.federation.as_deref()
    }

    /// The longest session that AWS grants; `None` when only the role in AWS knows.
    #[must_use]
    pub const fn max_session(&self) -> Option<Duration> {
        self.max_session
    }
}

/// Why a person may not take a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleRefusal {
    /// The role's `allow` does not cover the person.
    #[error("{email} may not use {} (AwsFederation {federation} allows {allow})", In(.role))]
    NotAllowed {
        /// Who asked.
        email: EmailAddress,
        /// The role asked for.
        role: RoleArn,
        /// Who declares it.
        federation: Arc<str>,
        /// Whom it allows.
        allow: Arc<Allow>,
    },
    /// The hub's `allow` does not cover the person.
    #[error(
        "{email} may not use {}: it is reached through the hub {}, which AwsFederation {federation} opens to {allow}",
        In(.role), In(.hub)
    )]
    HubNotAllowed {
        /// Who asked.
        email: EmailAddress,
        /// The role asked for.
        role: RoleArn,
        /// The hub it is reached through.
        hub: Box<RoleArn>,
        /// Who declares both.
        federation: Arc<str>,
        /// Whom the hub allows.
        allow: Arc<Allow>,
    },
    /// The account is governed, and nobody declares the role.
    #[error("{} is not declared by AwsFederation {}{}", In(.role), .federations.join(", "), Instead(.instead.as_ref()))]
    Undeclared {
        /// The role asked for.
        role: RoleArn,
        /// The federations that govern the account.
        federations: Vec<Arc<str>>,
        /// What the same name is declared as.
        instead: Option<RoleName>,
    },
    /// Several federations declare the role.
    #[error(
        "{} is declared by more than one AwsFederation ({}); an administrator must name the account in one of them",
        In(.role), .federations.join(", ")
    )]
    Ambiguous {
        /// The role asked for.
        role: RoleArn,
        /// The federations, by name.
        federations: Vec<Arc<str>>,
    },
    /// Nobody governs the account, and the issuer is told to refuse then.
    #[error("no AwsFederation governs account {}, and this issuer grants roles in governed accounts only", .0.account())]
    Ungoverned(RoleArn),
    /// The way asked for is not the way declared.
    #[error("{} is {}, not through {via}", In(.role), Way(.hub.as_ref()))]
    OtherWay {
        /// The role asked for.
        role: RoleArn,
        /// The hub it is reached through; `None`: it is taken directly.
        hub: Option<RoleArn>,
        /// The hub asked for.
        via: RoleArn,
    },
    /// The hub asked for is in another partition.
    #[error("{} cannot be reached through {via}: AWS knows no trust between partitions", In(.role))]
    OtherPartition {
        /// The role asked for.
        role: RoleArn,
        /// The hub asked for.
        via: RoleArn,
    },
    /// The hub asked for is no first step.
    #[error("{} cannot be reached through {via}, which is itself reached through the hub {hub}", In(.role))]
    HubBehindHub {
        /// The role asked for.
        role: RoleArn,
        /// The hub asked for.
        via: RoleArn,
        /// The hub of that hub.
        hub: RoleArn,
    },
    /// The hub asked for is refused.
    #[error("{} cannot be reached through that hub: {refusal}", In(.role))]
    HubRefused {
        /// The role asked for.
        role: RoleArn,
        /// Why the hub is refused.
        #[source]
        refusal: Box<Self>,
    },
}

impl Catalogue {
    /// Decides whether a person may take a role, and how.
    ///
    /// `via` is the hub that the caller wants to go through. It is needed only where no federation knows the way, and
    /// refused where it contradicts what a federation declares.
    ///
    /// # Errors
    /// Why not, as one sentence for the person.
    pub fn authorize(
        &self,
        person: &Person<'_>,
        role: &RoleArn,
        via: Option<&RoleArn>,
    ) -> Result<AuthorizedRole, RoleRefusal> {
        match self.find(role) {
            Finding::Declared { first, further } => {
                // Which of them holds in this account, only the organization knows: each must allow the person.
                let mut authorized = declared(person, role, via, first)?;
                for declaration in further {
                    let other = declared(person, role, via, declaration)?;
                    authorized.max_session = authorized.max_session.min(other.max_session);
                }
                Ok(authorized)
            }
            Finding::Ambiguous(federations) => {
                Err(RoleRefusal::Ambiguous { role: role.clone(), federations: federations.into_iter().collect() })
            }
            Finding::Undeclared { federations, instead } => Err(RoleRefusal::Undeclared {
                role: role.clone(),
                federations: federations.into_iter().collect(),
                instead,
            }),
            Finding::Ungoverned => self.ungoverned(person, role, via),
        }
    }

    /// A role that only its account's own trust policy speaks of.
    fn ungoverned(
        &self,
        person: &Person<'_>,
        role: &RoleArn,
        via: Option<&RoleArn>,
    ) -> Result<AuthorizedRole, RoleRefusal> {
        if self.ungoverned == UngovernedAccounts::Deny {
            return Err(RoleRefusal::Ungoverned(role.clone()));
        }
        let Some(via) = via else {
            let (email, role) = (person.email.clone(), role.clone());
            return Ok(AuthorizedRole { email, role, hub: None, federation: None, max_session: None });
        };
        if via.partition() != role.partition() {
            return Err(RoleRefusal::OtherPartition { role: role.clone(), via: via.clone() });
        }
        let hub = self
            .authorize(person, via, None)
            .map_err(|refusal| RoleRefusal::HubRefused { role: role.clone(), refusal: Box::new(refusal) })?;
        if let Some(hub) = hub.hub {
            return Err(RoleRefusal::HubBehindHub { role: role.clone(), via: via.clone(), hub });
        }
        Ok(AuthorizedRole {
            email: person.email.clone(),
            role: role.clone(),
            hub: Some(via.clone()),
            federation: None,
            max_session: Some(CHAINED_SESSION),
        })
    }

    /// The roles in named accounts that a person may take, sorted by account, then name. Hubs are ways, not
    /// destinations, and are not among them.
    #[must_use]
    pub fn roles_for(&self, person: &Person<'_>) -> Vec<AwsRole> {
        let mut roles: Vec<AwsRole> = self
            .named_roles()
            .filter_map(|role| self.authorize(person, &role, None).ok())
            .filter_map(|authorized| {
                let seconds = authorized.max_session.map_or(u64::MAX, |duration| duration.as_secs());
                Some(AwsRole {
                    federation: authorized.federation?.to_string(),
                    via: authorized.hub,
                    role: authorized.role,
                    max_session_seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
                })
            })
            .collect();
        roles.sort_by(|a, b| (a.role.account(), a.role.name()).cmp(&(b.role.account(), b.role.name())));
        roles
    }
}

/// A role as one declaration has it.
fn declared(
    person: &Person<'_>,
    role: &RoleArn,
    via: Option<&RoleArn>,
    declaration: &Declaration,
) -> Result<AuthorizedRole, RoleRefusal> {
    let federation = &declaration.federation;
    if !declaration.allow.matches(person.email, person.groups) {
        return Err(RoleRefusal::NotAllowed {
            email: person.email.clone(),
            role: role.clone(),
            federation: Arc::clone(federation),
            allow: Arc::clone(&declaration.allow),
        });
    }
    if let Access::Through(hub) = &declaration.access
        && !hub.allow.matches(person.email, person.groups)
    {
        return Err(RoleRefusal::HubNotAllowed {
            email: person.email.clone(),
            role: role.clone(),
            hub: Box::new(hub.role.clone()),
            federation: Arc::clone(federation),
            allow: Arc::clone(&hub.allow),
        });
    }
    let hub = declaration.hub().cloned();
    match via {
        Some(via) if hub.as_ref() != Some(via) => {
            Err(RoleRefusal::OtherWay { role: role.clone(), hub, via: via.clone() })
        }
        _ => Ok(AuthorizedRole {
            email: person.email.clone(),
            role: role.clone(),
            hub,
            federation: Some(Arc::clone(federation)),
            max_session: Some(match declaration.access {
                Access::Direct(max_session) => max_session,
                Access::Hub | Access::Through(_) => CHAINED_SESSION,
            }),
        }),
    }
}

/// `role vouch/VouchAccess in account 111111111111`.
struct In<'a>(&'a RoleArn);

impl fmt::Display for In<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "role {} in account {}", self.0.role_name(), self.0.account())
    }
}

struct Instead<'a>(Option<&'a RoleName>);

impl fmt::Display for Instead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |role| write!(f, ", which declares {role}"))
    }
}

struct Way<'a>(Option<&'a RoleArn>);

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(hub) => write!(f, "reached through the hub {hub}"),
            None => f.write_str("taken directly"),
        }
    }
}

#[cfg(test)]
mod tests;
