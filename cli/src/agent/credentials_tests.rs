#![allow(clippy::unwrap_used)]

use std::sync::atomic::AtomicUsize;

use jiff::SignedDuration;
use tokio::sync::Semaphore;

use super::*;
use crate::clock::{Clock as _, tests::ManualClock};

/// A source that counts, waits to be let go, and gives numbered credentials of an hour.
struct Source {
    clock: Arc<ManualClock>,
    asked: AtomicUsize,
    gate: Arc<Semaphore>,
    failing: Mutex<Option<Failure>>,
    /// The region of every request, in order.
    regions: Mutex<Vec<Option<String>>>,
}

impl Source {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn fail(&self, failure: Option<Failure>) {
        *self.failing.lock().unwrap() = failure;
    }
}

impl CredentialSource for Source {
    fn obtain(&self, request: AwsCredentialsRequest) -> BoxFuture<'static, Result<Obtained, Failure>> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.regions.lock().unwrap().push(request.region.clone());
        let (gate, clock) = (Arc::clone(&self.gate), Arc::clone(&self.clock));
        let failure = self.failing.lock().unwrap().clone();
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            if let Some(failure) = failure {
                return Err(failure);
            }
            let credentials = AwsCredentials {
                version: 1,
                access_key_id: format!("ASIA{number}"),
                secret_access_key: "secret".to_owned(),
                session_token: "token".to_owned(),
                expiration: clock.now() + SignedDuration::from_hours(1),
            };
            Ok(Obtained { credentials, chain: vec![request.role] })
        })
    }
}

const OPEN: usize = 1000;

fn cache(permits: usize) -> (Arc<CredentialCache>, Arc<Source>, Arc<ManualClock>) {
    let clock = ManualClock::at("2026-11-21T09:30:00Z");
    let gate = Arc::new(Semaphore::new(permits));
    let source = Arc::new(Source {
        clock: clock.clone(),
        asked: AtomicUsize::new(0),
        gate,
        failing: Mutex::new(None),
        regions: Mutex::default(),
    });
    (Arc::new(CredentialCache::new(source.clone(), clock.clone())), source, clock)
}

fn request(account: &str) -> AwsCredentialsRequest {
    let role = format!("arn:aws:iam::{account}:role/vouch/VouchAccess").parse().unwrap();
    AwsCredentialsRequest { role, via: None, duration: None, region: None }
}

fn from(region: &str) -> AwsCredentialsRequest {
    AwsCredentialsRequest { region: Some(region.to_owned()), ..request("111111111111") }
}

async fn key_id(cache: &CredentialCache) -> String {
    let ready = cache.get(&request("111111111111")).await.unwrap();
    let Response::Ok(Reply::AwsCredentials(credentials)) = serde_json::from_slice(&ready.line).unwrap() else {
        return String::new();
    };
    credentials.access_key_id
}

/// Lets spawned tasks run until they wait for something else.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn failure() -> Failure {
    Failure::new(Category::Denied, "no")
}

#[tokio::test]
async fn fifty_parallel_calls_ask_aws_once() {
    let (cache, source, _) = cache(0);
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let cache = Arc::clone(&cache);
            tokio::spawn(async move { key_id(&cache).await })
        })
        .collect();
    settle().await;
    source.gate.add_permits(OPEN);
    for call in calls {
        assert_eq!(call.await.unwrap(), "ASIA1");
    }
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn fifty_parallel_calls_share_a_refusal_and_the_next_one_asks_again() {
    let (cache, source, _) = cache(0);
    source.fail(Some(failure()));
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let cache = Arc::clone(&cache);
            tokio::spawn(async move { cache.get(&request("111111111111")).await.err() })
        })
        .collect();
    settle().await;
    source.gate.add_permits(OPEN);
    for call in calls {
        assert_eq!(call.await.unwrap(), Some(failure()));
    }
    assert_eq!(source.asked(), 1);
    source.fail(None);
    assert_eq!(key_id(&cache).await, "ASIA2");
}

#[tokio::test]
async fn the_request_goes_on_when_its_first_caller_leaves() {
    let (cache, source, _) = cache(0);
    let first = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { key_id(&cache).await }
    });
    settle().await;
    first.abort();
    source.gate.add_permits(OPEN);
    assert_eq!(key_id(&cache).await, "ASIA1");
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn a_hit_asks_nobody_and_takes_no_lock() {
    let (cache, source, _) = cache(OPEN);
    assert_eq!(key_id(&cache).await, "ASIA1");
    let slot = cache.slot(&request("111111111111"));
    let _held = slot.flying();
    assert_eq!(key_id(&cache).now_or_never().as_deref(), Some("ASIA1"));
    assert_eq!(source.asked(), 1);
}

#[tokio::test]
async fn another_region_is_the_same_entry_and_another_role_is_not() {
    let (cache, source, _) = cache(OPEN);
    cache.get(&request("111111111111")).await.unwrap();
    cache.get(&from("eu-west-1")).await.unwrap();
    assert_eq!(source.asked(), 1);
    cache.get(&request("222222222222")).await.unwrap();
    cache.get(&AwsCredentialsRequest { duration: Some(900), ..request("111111111111") }).await.unwrap();
    assert_eq!((source.asked(), cache.list().len()), (3, 3));
}

#[tokio::test]
async fn a_refusal_from_one_regions_endpoint_is_not_served_to_a_caller_of_another() {
    let (cache, source, _) = cache(0);
    source.fail(Some(failure()));
    let refused = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { cache.get(&from("eu-south-9")).await.err() }
    });
    settle().await;
    source.fail(None);
    let served = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { cache.get(&from("eu-west-1")).await.is_ok() }
    });
    settle().await;
    source.gate.add_permits(OPEN);
    assert_eq!((refused.await.unwrap(), served.await.unwrap()), (Some(failure()), true));
    let asked = ["eu-south-9", "eu-west-1"].map(|region| Some(region.to_owned()));
    assert_eq!(*source.regions.lock().unwrap(), asked);
}

#[tokio::test]
async fn whoever_finds_nothing_in_the_cache_decides_whose_endpoint_is_asked() {
    let (cache, source, clock) = cache(OPEN);
    cache.get(&from("eu-west-1")).await.unwrap();
    assert_eq!(cache.list().first().unwrap().request.region.as_deref(), Some("eu-west-1"));
    clock.advance(50 * 60);
    cache.get(&from("us-west-2")).await.unwrap();
    settle().await;
    clock.advance(2 * 3600);
    cache.get(&from("us-west-2")).await.unwrap();
    let asked = ["eu-west-1", "eu-west-1", "us-west-2"].map(|region| Some(region.to_owned()));
    assert_eq!(*source.regions.lock().unwrap(), asked, "the renewal in the middle went where the answer came from");
}

#[tokio::test]
async fn what_is_in_use_is_renewed_ahead_of_its_end() {
    let (cache, source, clock) = cache(OPEN);
    assert_eq!(key_id(&cache).await, "ASIA1");
    clock.advance(43 * 60);
    cache.tend();
    settle().await;
    assert_eq!(source.asked(), 1, "not yet due");
    clock.advance(2 * 60);
    cache.tend();
    cache.tend();
    settle().await;
    assert_eq!((source.asked(), key_id(&cache).await), (2, "ASIA2".to_owned()));
}

#[tokio::test]
async fn what_nobody_uses_is_left_to_end_and_forgotten() {
    let (cache, source, clock) = cache(OPEN);
    key_id(&cache).await;
    clock.advance(61 * 60);
    cache.tend();
    settle().await;
    assert_eq!((source.asked(), cache.list().len(), cache.slots.load().len()), (1, 0, 0));
}

#[tokio::test]
async fn aging_credentials_are_served_at_once_while_new_ones_are_fetched() {
    let (cache, source, clock) = cache(1);
    assert_eq!(key_id(&cache).await, "ASIA1");
    clock.advance(50 * 60);
    assert_eq!(key_id(&cache).now_or_never().as_deref(), Some("ASIA1"));
    source.gate.add_permits(OPEN);
    settle().await;
    assert_eq!((source.asked(), key_id(&cache).await), (2, "ASIA2".to_owned()));
}

#[tokio::test]
async fn a_failed_renewal_keeps_what_is_still_valid_and_waits_before_the_next() {
    let (cache, source, clock) = cache(OPEN);
    assert_eq!(key_id(&cache).await, "ASIA1");
    source.fail(Some(failure()));
    clock.advance(50 * 60);
    assert_eq!(key_id(&cache).await, "ASIA1");
    settle().await;
    assert_eq!(key_id(&cache).await, "ASIA1");
    settle().await;
    assert_eq!(source.asked(), 2, "the second call came within the pause");
    clock.advance(7 * 60);
    assert_eq!(key_id(&cache).await, "ASIA1", "three minutes left: waited for, refused, the old ones still serve");
    assert_eq!(source.asked(), 3);
    clock.advance(3 * 60);
    assert_eq!(cache.get(&request("111111111111")).await.err(), Some(failure()));
}

#[tokio::test]
async fn expired_credentials_are_never_served() {
    let (cache, source, clock) = cache(OPEN);
    assert_eq!(key_id(&cache).await, "ASIA1");
    clock.advance(2 * 3600);
    assert_eq!((key_id(&cache).await, source.asked()), ("ASIA2".to_owned(), 2));
}

/// A source with a fault.
struct Faulty;

impl CredentialSource for Faulty {
    fn obtain(&self, _: AwsCredentialsRequest) -> BoxFuture<'static, Result<Obtained, Failure>> {
        Box::pin(async { std::panic::resume_unwind(Box::new("fault")) })
    }
}

#[tokio::test]
async fn a_fault_in_the_source_is_a_failure_and_does_not_block_the_entry() {
    let clock = ManualClock::at("2026-11-21T09:30:00Z");
    let cache = CredentialCache::new(Arc::new(Faulty), clock);
    for _ in 0..2 {
        let failure = cache.get(&request("111111111111")).await.err().unwrap();
        assert_eq!(failure.category, Category::General);
    }
    assert!(cache.slot(&request("111111111111")).flying().is_empty());
}
