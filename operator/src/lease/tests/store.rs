//! The `Lease` object.

use super::*;
use crate::{
    lease::{KubeLease, LeaseStore, store::LeaseError},
    testing::ApiServer,
};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/vouch/leases/vouch-operator";

fn claim(replaces: Option<Revision>) -> Claim {
    Claim {
        holder: Some("a".to_owned()),
        duration: seconds(15),
        transitions: 3,
        acquired_at: WALL,
        renewed_at: WALL,
        replaces,
    }
}

#[tokio::test]
async fn a_lease_is_made_renewed_and_read() {
    let server = ApiServer::default();
    let store = KubeLease::new(server.client(), "vouch");
    assert_eq!(store.read().await.unwrap(), None);
    let made = store.write(claim(None)).await.unwrap();
    assert!(matches!(store.write(claim(None)).await, Err(LeaseError::Conflict)), "somebody was faster");
    let renewed = store.write(claim(Some(made.revision.clone()))).await.unwrap();
    assert_eq!(renewed.revision.uid, made.revision.uid);
    assert!(matches!(store.write(claim(Some(made.revision))).await, Err(LeaseError::Conflict)));
    let read = store.read().await.unwrap().unwrap();
    assert_eq!(read, renewed);
    assert_eq!((read.holder.as_deref(), read.duration, read.transitions), (Some("a"), Some(seconds(15)), 3));
}

#[tokio::test]
async fn a_lease_that_was_deleted_is_not_made_again_by_a_renewal() {
    let server = ApiServer::default();
    let store = KubeLease::new(server.client(), "vouch");
    let made = store.write(claim(None)).await.unwrap();
    server.remove(LEASE);
    assert!(matches!(store.write(claim(Some(made.revision))).await, Err(LeaseError::Conflict)));
    assert_eq!(server.get(LEASE), None);
}
