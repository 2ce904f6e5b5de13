//! Why the operator lets the keys of an issuer be. Pods go on with the last keys they could read, and a person decides.

use std::fmt;

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
    /// A Secret is not this issuer's, or neither is.
    #[error("{}", foreign(.strangers, .url))]
    Foreign {
        /// Which, and whose they are.
        strangers: Vec<Stranger>,
        /// Whose they should be.
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

/// A Secret with a name that is needed, of another issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// Its name.
    pub secret: String,
    /// Whose it says that it is.
    pub found: Option<String>,
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

    /// With what is in the way as well: whoever moves one foreign Secret away would only then hear of the other.
    #[must_use]
    pub fn and(mut self, other: Option<&Self>) -> Self {
        if let (Self::Foreign { strangers, .. }, Some(Self::Foreign { strangers: others, .. })) = (&mut self, other) {
            strangers.extend_from_slice(others);
        }
        self
    }
}

fn foreign(strangers: &[Stranger], url: &str) -> String {
    let told: Vec<String> = strangers.iter().map(ToString::to_string).collect();
    let (left, them, keys, restored) = match strangers {
        [_] => ("nothing of it", "it", "its keys are", "it was"),
        _ => ("neither", "both", "their keys are", "they were"),
    };
    format!(
        "{}, and this VouchIssuer is {url}: {left} was changed. Move {them} away, or delete {them}, if {keys} not \
         needed; if {restored} restored by hand, annotate {them} with {}: {url}",
        told.join(", "),
        annotation::ISSUER_URL
    )
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

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret, found } = self;
        match found {
            Some(url) => write!(f, "Secret {secret} belongs to the issuer {url}"),
            None => {
                let annotation = annotation::ISSUER_URL;
                write!(f, "Secret {secret} does not say whose it is (it has no annotation {annotation})")
            }
        }
    }
}
