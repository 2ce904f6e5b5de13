//! Nothing is written without the lease.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};

use super::*;
use crate::{
    failure,
    lease::{
        LeaseHeld, LeaseLost, Tick, Ticker,
        held::{Hold, read_only},
    },
};

#[derive(Default)]
struct TestClock(AtomicU64);

impl TestClock {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Ticker for TestClock {
    fn now(&self) -> Tick {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

fn silent() -> Client {
    let service = tower::service_fn(|_: http::Request<Body>| pending::<Result<Response<Body>, kube::Error>>());
    Client::new(service, "vouch")
}

fn cause(error: &kube::Error) -> String {
    match error {
        kube::Error::Service(cause) => cause.to_string(),
        other => failure::chain(other),
    }
}

#[tokio::test]
async fn nothing_is_written_once_the_lease_is_over() {
    let clock = Arc::new(TestClock::default());
    let hold = Arc::new(Hold::new(Arc::<TestClock>::clone(&clock)));
    hold.extend(seconds(10));
    let held = LeaseHeld::new(Arc::clone(&hold), answering(), seconds(5));
    let maps: Api<ConfigMap> = Api::namespaced(held.client(), "vouch");
    let create = async || maps.create(&PostParams::default(), &ConfigMap::default()).await;
    assert!(held.check().is_ok() && create().await.is_ok());
    clock.advance(seconds(10));
    assert_eq!(held.check(), Err(LeaseLost));
    assert_eq!(cause(&create().await.unwrap_err()), LeaseLost.to_string());
    hold.extend(seconds(20));
    assert!(create().await.is_ok(), "a renewal lets it write again");
    hold.end();
    assert_eq!(cause(&maps.delete("a", &DeleteParams::default()).await.unwrap_err()), LeaseLost.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_write_that_gets_no_answer_is_given_up_in_time() {
    let hold = Arc::new(Hold::new(Arc::new(TestClock::default())));
    hold.extend(seconds(10));
    let held = LeaseHeld::new(hold, silent(), seconds(5));
    let maps: Api<ConfigMap> = Api::namespaced(held.client(), "vouch");
    let started = tokio::time::Instant::now();
    let error = maps.create(&PostParams::default(), &ConfigMap::default()).await.unwrap_err();
    assert_eq!(cause(&error), "the API server did not answer within 5s");
    assert_eq!(started.elapsed(), seconds(5));
}

#[tokio::test]
async fn a_client_for_readers_writes_nothing() {
    let maps: Api<ConfigMap> = Api::namespaced(read_only(answering()), "vouch");
    assert!(maps.get("a").await.is_ok());
    let error = maps.create(&PostParams::default(), &ConfigMap::default()).await.unwrap_err();
    assert_eq!(cause(&error), "POST needs the lease; write through LeaseHeld::client");
}
