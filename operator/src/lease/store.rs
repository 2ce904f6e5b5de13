//! Where the lease is kept: a `Lease` object, or a value in a test.

use std::{future::Future, time::Duration};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use vouch_crds::names;

use super::elector::{Claim, Record, Revision};
use crate::failure;

/// Why the lease could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody has written it meanwhile, or it is gone.
    #[error("somebody else has written the lease meanwhile")]
    Conflict,
    /// No answer, or a failure.
    #[error("the lease cannot be read or written")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl LeaseError {
    /// Whether nobody was there to answer, or nobody who can.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Conflict => false,
            Self::Unavailable(cause) => cause.downcast_ref().is_none_or(failure::is_outage),
        }
    }
}

/// Compare-and-swap on one record.
pub trait LeaseStore: Send + Sync + 'static {
    /// The record, if there is one.
    fn read(&self) -> impl Future<Output = Result<Option<Record>, LeaseError>> + Send;
    /// Writes the record if it is still the write that the claim replaces; a record that is gone is not made again.
    fn write(&self, claim: Claim) -> impl Future<Output = Result<Record, LeaseError>> + Send;
}

/// The `Lease` in a namespace.
#[derive(Debug, Clone)]
pub struct KubeLease {
    api: Api<Lease>,
    namespace: String,
}

impl KubeLease {
    /// The lease of the operators whose own namespace it is. The client must be one that may write: an election goes
    /// on without a lease, so it cannot use the client of [`super::LeaseHeld`].
    #[must_use]
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), namespace: namespace.to_owned() }
    }
}

impl LeaseStore for KubeLease {
    async fn read(&self) -> Result<Option<Record>, LeaseError> {
        Ok(self.api.get_opt(names::LEASE).await.map_err(unavailable)?.map(record))
    }

    async fn write(&self, claim: Claim) -> Result<Record, LeaseError> {
        let lease = lease(&self.namespace, claim);
        let parameters = PostParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let written = match lease.metadata.resource_version {
            Some(_) => self.api.replace(names::LEASE, &parameters, &lease).await,
            None => self.api.create(&parameters, &lease).await,
        };
        match written {
            Ok(lease) => Ok(record(lease)),
            Err(error) if failure::is_conflict(&error) || failure::is_not_found(&error) => Err(LeaseError::Conflict),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn unavailable(error: kube::Error) -> LeaseError {
    LeaseError::Unavailable(Box::new(error))
}

fn record(lease: Lease) -> Record {
    let spec = lease.spec.unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Record {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        duration: seconds.map(Duration::from_secs),
        transitions: spec.lease_transitions.unwrap_or_default(),
        acquired_at: spec.acquire_time.map(|time| time.0),
        renewed_at: spec.renew_time.map(|time| time.0),
        revision: Revision {
            uid: lease.metadata.uid.unwrap_or_default(),
            version: lease.metadata.resource_version.unwrap_or_default(),
        },
    }
}

fn lease(namespace: &str, claim: Claim) -> Lease {
    let (uid, resource_version) =
        claim.replaces.map_or((None, None), |replaced| (Some(replaced.uid), Some(replaced.version)));
    Lease {
        metadata: ObjectMeta {
            name: Some(names::LEASE.to_owned()),
            namespace: Some(namespace.to_owned()),
            resource_version,
            uid,
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(claim.holder.unwrap_or_default()),
            lease_duration_seconds: i32::try_from(claim.duration.as_secs()).ok(),
            lease_transitions: Some(claim.transitions),
            acquire_time: Some(MicroTime(claim.acquired_at)),
            renew_time: Some(MicroTime(claim.renewed_at)),
            ..LeaseSpec::default()
        }),
    }
}
