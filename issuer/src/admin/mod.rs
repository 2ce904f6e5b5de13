//! Administration on the records of an issuer, while it runs or not: the same verbs on a database and in a cluster.
//!
//! Every change is one compare-and-swap on one record and takes effect in the running issuer in under a second. What
//! a manifest declares is never overruled here while it can be read: the next reload would bring it back.

pub mod declared;
mod front_end;
pub mod invite;
pub mod keys;
mod records;
mod text;
pub mod users;

use std::sync::Arc;

use jiff::Timestamp;
use vouch_iam::identity::{EmailAddress, EmailError};
use vouch_keyring::Kid;

pub use self::{front_end::FrontEnd, records::Records, text::moment};
use crate::{
    audit::Event,
    clock::SharedClock,
    config::DeclaredUser,
    database::{Database, DatabaseError},
    identity::secrets::SecretsError,
    keys::KeyStoreFault,
    store::{StoreError, Stored, record::UserRecord, sqlite::SqliteStore},
};

/// Tries before a conflict is reported: each one means that another writer has succeeded.
const ATTEMPTS: usize = 10;

/// Why an order was not carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The root secret.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The signing keys.
    #[error(transparent)]
    Keys(#[from] KeyStoreFault),
    /// The signing key is withdrawn.
    #[error("key {kid} was revoked at {at} already; where nothing signs since, let the next key sign now: {}",
        front_end.let_next_key_sign(kid))]
    AlreadyRevoked {
        /// Which.
        kid: Kid,
        /// When.
        at: Timestamp,
        /// Who speaks.
        front_end: FrontEnd,
    },
    /// The people.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// AWS could not carry the address.
    #[error(transparent)]
    Email(#[from] EmailError),
    /// The address is outside the organisation.
    #[error("{email} is not in a domain of {organization} ({}); invite an address of the organization, or add the domain to spec.organization.emailDomains", domains.join(", "))]
    ForeignDomain {
        /// The address.
        email: EmailAddress,
        /// The organisation's name.
        organization: String,
        /// Its domains.
        domains: Vec<String>,
    },
    /// Nobody has the address.
    #[error("there is nobody with the address {email}; list everybody with `{}`", front_end.command("users list"))]
    UnknownUser {
        /// The address.
        email: EmailAddress,
        /// Who speaks.
        front_end: FrontEnd,
    },
    /// The manifest says otherwise.
    #[error(
        "{what} of {email} is declared by a VouchUser in the manifest; change it there and reload the issuer (SIGHUP)"
    )]
    Declared {
        /// Whose.
        email: EmailAddress,
        /// What.
        what: &'static str,
    },
    /// Invites are off.
    #[error("the issuer allows no invites; set spec.enrollment.invites to true{}", .0.then_reload())]
    InvitesOff(FrontEnd),
    /// A disabled person is not invited.
    #[error("{email} is disabled; enable first: {}", front_end.command(format_args!("enable {email}")))]
    Disabled {
        /// The person.
        email: EmailAddress,
        /// Who speaks.
        front_end: FrontEnd,
    },
    /// A lifetime nobody means.
    #[error("an invite cannot last for {0}; 5m to 30d are possible")]
    InviteLifetime(vouch_crds::duration::Duration),
    /// A group name that no manifest could name.
    #[error("`{0}` must be a group: letters, digits and ._:/@+-")]
    Group(String),
    /// The person has no such key.
    #[error("{email} has no key {id}; list the keys with `{}`", front_end.command(format_args!("users show {email}")))]
    UnknownKey {
        /// Whose.
        email: EmailAddress,
        /// Which.
        id: String,
        /// Who speaks.
        front_end: FrontEnd,
    },
    /// The last key of a person.
    #[error(
        "{id} is the only key of {email}, who could not sign in without it; repeat with --allow-last, then invite again"
    )]
    LastKey {
        /// Whose.
        email: EmailAddress,
        /// Which.
        id: String,
    },
    /// No random numbers.
    #[error("no invite code could be made; the system's random source may be unavailable")]
    Random,
}

/// The records of people. It needs neither the issuer's configuration nor a secret, so that a person is stopped also while
/// those cannot be read.
pub struct Office {
    /// `None`: the manifest cannot be read.
    declared: Option<Vec<DeclaredUser>>,
    records: Arc<dyn Records>,
    clock: SharedClock,
    front_end: FrontEnd,
}

impl std::fmt::Debug for Office {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Office").field("front_end", &self.front_end).finish_non_exhaustive()
    }
}

impl Office {
    /// On any records. What a manifest says of people in `declared` is not overruled; in a cluster the records are the
    /// declarations.
    #[must_use]
    pub fn new(
        declared: Vec<DeclaredUser>,
        records: Arc<dyn Records>,
        clock: SharedClock,
        front_end: FrontEnd,
    ) -> Self {
        Self { declared: Some(declared), records, clock, front_end }
    }

    /// On the database of an issuer that runs alone. Without `declared` the manifest cannot be read, and nothing is known to
    /// be declared.
    #[must_use]
    pub fn open(
        declared: Option<Vec<DeclaredUser>>,
        database: &Database,
        clock: SharedClock,
        front_end: FrontEnd,
    ) -> Self {
        Self { declared, records: Arc::new(SqliteStore::new(database.clone())), clock, front_end }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn user(&self, email: &EmailAddress) -> Result<Stored, AdminError> {
        let unknown = || AdminError::UnknownUser { email: email.clone(), front_end: self.front_end.clone() };
        self.records.user_by_email(email).await?.ok_or_else(unknown)
    }

    /// Changes a person's record, again from the start whenever somebody else was faster. The event goes to the audit
    /// trail if and only if the change is made.
    async fn change<T>(
        &self,
        email: &EmailAddress,
        change: impl Fn(&mut UserRecord) -> Result<(T, Option<Event>), AdminError> + Send + Sync,
    ) -> Result<(UserRecord, T), AdminError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let stored = self.user(email).await?;
            let mut next = stored.user.clone();
            let (outcome, event) = change(&mut next)?;
            let told = event.map(|event| (self.now(), event));
            match self.records.replace_and_tell(&stored, &next, told).await {
                Ok(stored) => return Ok((stored.user, outcome)),
                Err(StoreError::Conflict) if attempts < ATTEMPTS => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
