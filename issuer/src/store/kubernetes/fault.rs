//! Why the cluster did not do it.

use vouch_iam::identity::EmailAddress;

use crate::{cluster::fault::describe, store::StoreError};

/// Why the objects of people cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ClusterFault {
    /// The first list has not arrived.
    #[error("the VouchUsers of the namespace are not known yet{}", .0.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default())]
    NotSynced(Option<String>),
    /// The API server says no, or nothing.
    #[error("{what}: {}", describe(.source))]
    Api {
        /// What was asked for.
        what: &'static str,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// The API server did not answer in time.
    #[error("{0}: the API server does not answer")]
    NoAnswer(&'static str),
    /// It is unknown whether somebody was faster.
    #[error("the API server took the write, but does not tell of changes; the write was taken back")]
    Unconfirmed,
    /// An object has the name that is this person's.
    #[error(
        "the VouchUser {object}, which would be that of {email}, is for another address; delete it, or declare a VouchUser for {email} under another name"
    )]
    NameTaken {
        /// Whose it would be.
        email: EmailAddress,
        /// The object.
        object: Box<str>,
    },
    /// A record cannot be written down.
    #[error("the record cannot be written as an object")]
    Unwritable(#[from] serde_json::Error),
}

impl From<ClusterFault> for StoreError {
    fn from(fault: ClusterFault) -> Self {
        match fault {
            ClusterFault::NotSynced(_) => Self::Unavailable(Box::new(fault)),
            _ => Self::ReadOnly(Box::new(fault)),
        }
    }
}
