//! Why the operator lets the keys of an issuer be. Pods go on with the last keys they could read, and a person decides.

use jiff::Timestamp;
use vouch_crds::names::annotation;
use vouch_keyring::{DocumentError, Kid};

use crate::reason::Reason;

/// What is wrong with the Secrets of an issuer. Nothing of them is changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// There were keys, and they are gone.
    #[error(
        "Secret {secret} is gone. Restore it from a backup. If there is none: annotate this VouchIssuer with \
         {recreate}: \"{initialized_at}\", and new keys are made; every session ends then, and AWS refuses tokens until \
         it has read the new keys",
        recreate = annotation::RECREATE_KEYS
    )]
    Missing {
        /// The Secret.
        secret: String,
        /// What the order to give its keys up must name.
        initialized_at: Timestamp,
    },
    /// The Secret holds no keys that could be read.
    #[error("Secret {secret} cannot be read: {damage}. {cure}", cure = cure(secret, *initialized_at))]
    Unreadable {
        /// The Secret.
        secret: String,
        /// What is wrong with it.
        damage: Damage,
        /// What the order to give its keys up must name.
        initialized_at: Option<Timestamp>,
    },
    /// The Secret is not this issuer's.
    #[error(
        "Secret {secret} {whose}, and this VouchIssuer is {url}: nothing of it was changed. Move it away, or delete it, \
         if its keys are not needed; if it was restored by hand, annotate it with {issuer_url}: {url}",
        whose = whose(found.as_deref()),
        issuer_url = annotation::ISSUER_URL
    )]
    Foreign {
        /// The Secret.
        secret: String,
        /// Whose it says that it is.
        found: Option<String>,
        /// Whose it should be.
        url: String,
    },
    /// The Secret publishes a key again that must not come back.
    #[error(
        "Secret {secret} publishes key {kid} again, which was revoked: it was restored from an older backup, and nothing \
         rotates. Revoke the key again: {again} (or {kid} in the annotation {revoke}); or restore a later backup",
        revoke = annotation::REVOKE_KEY
    )]
    Restored {
        /// The Secret.
        secret: String,
        /// One of the keys.
        kid: Kid,
        /// The command that revokes it again.
        again: String,
    },
    /// The Secret from which sealed state is derived has not the form of one.
    #[error(
        "Secret {secret} has {length} bytes where 32 must be, and was left alone. Restore it from a backup, or delete it: \
         a new one is made then, and pending invites are void"
    )]
    RootDamaged {
        /// The Secret.
        secret: String,
        /// How many bytes it has.
        length: usize,
    },
}

/// Why a Secret cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// No data, or none under the right name.
    #[error("it has no {0}")]
    Empty(&'static str),
    /// Not what was written.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

impl KeyFault {
    /// In one word.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Missing { .. } => Reason::KeySecretMissing,
            Self::Unreadable { .. } => Reason::KeySecretCorrupt,
            Self::Foreign { .. } => Reason::ForeignKeys,
            Self::Restored { .. } => Reason::KeysRestored,
            Self::RootDamaged { .. } => Reason::RootSecretCorrupt,
        }
    }
}

fn cure(secret: &str, initialized_at: Option<Timestamp>) -> String {
    match initialized_at {
        Some(at) => format!(
            "If there is no backup: annotate this VouchIssuer with {}: \"{at}\", and new keys are made in its place; every \
             session ends then, and AWS refuses tokens until it has read the new keys",
            annotation::RECREATE_KEYS
        ),
        None => format!("This VouchIssuer never had keys of its own: delete Secret {secret}, and they are made"),
    }
}

fn whose(found: Option<&str>) -> String {
    match found {
        Some(url) => format!("belongs to the issuer {url}"),
        None => format!("does not say whose it is (it has no annotation {})", annotation::ISSUER_URL),
    }
}
