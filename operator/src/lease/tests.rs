//! The election: single decisions, then whole elections with slow, lost and repeated answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Response;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
    client::Body,
};
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::{
    elector::{Claim, Record, Refusal},
    held::{Hold, read_only},
    store::LeaseError,
    *,
};
use crate::failure;

const WALL: Timestamp = Timestamp::UNIX_EPOCH;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn timing() -> Timing {
    Timing::new(seconds(15), seconds(10), seconds(2), seconds(5)).unwrap()
}

fn candidate(name: &str) -> Elector {
    Elector::new(name.to_owned(), timing())
}

fn held_by(holder: &str, version: &str) -> Record {
    Record {
        holder: Some(holder.to_owned()),
        duration: Some(seconds(15)),
        transitions: 0,
        acquired_at: None,
        renewed_at: None,
        version: version.to_owned(),
    }
}

fn accepted(claim: Claim, version: &str) -> Record {
    Record {
        holder: claim.holder,
        duration: Some(claim.duration),
        transitions: claim.transitions,
        acquired_at: Some(claim.acquired_at),
        renewed_at: Some(claim.renewed_at),
        version: version.to_owned(),
    }
}

/// A candidate that took a new lease at second 100.
fn leader() -> Elector {
    let mut elector = candidate("a");
    assert_eq!(elector.next(seconds(100), WALL), Step::Read);
    elector.read(None, seconds(100));
    let Step::Write(claim) = elector.next(seconds(100), WALL) else { panic!("no claim") };
    assert_eq!(claim.replaces, None);
    elector.wrote(Ok(accepted(claim, "1")), seconds(100), seconds(101));
    elector
}

#[test]
fn a_lease_that_nobody_holds_is_taken_at_once() {
    assert_eq!(leader().leads_until(), Some(seconds(110)), "counted from before the request");
}

#[test]
fn a_lease_that_is_held_is_taken_only_when_it_has_not_changed_for_its_duration() {
    let mut elector = candidate("b");
    for second in 100..115 {
        elector.read(Some(held_by("a", "7")), seconds(second));
        assert!(!matches!(elector.next(seconds(second), WALL), Step::Write(_)), "{second}");
    }
    elector.read(Some(held_by("a", "7")), seconds(115));
    let Step::Write(claim) = elector.next(seconds(115), WALL) else { panic!("no claim") };
    assert_eq!((claim.replaces.as_deref(), claim.transitions), (Some("7"), 1));
}

#[test]
fn a_renewal_begins_the_wait_anew() {
    let mut elector = candidate("b");
    elector.read(Some(held_by("a", "7")), seconds(100));
    elector.read(Some(held_by("a", "8")), seconds(114));
    elector.read(Some(held_by("a", "8")), seconds(128));
    assert!(!matches!(elector.next(seconds(128), WALL), Step::Write(_)));
}

#[test]
fn a_lease_that_vanishes_while_it_is_held_is_waited_for_all_the_same() {
    let mut elector = candidate("b");
    elector.read(Some(held_by("a", "7")), seconds(100));
    elector.read(None, seconds(102));
    assert!(!matches!(elector.next(seconds(102), WALL), Step::Write(_)));
    elector.read(None, seconds(115));
    assert!(matches!(elector.next(seconds(115), WALL), Step::Write(Claim { replaces: None, .. })));
}

#[test]
fn a_lease_that_was_released_is_taken_at_once() {
    let mut elector = candidate("b");
    elector.read(Some(held_by("a", "7")), seconds(100));
    elector.read(Some(Record { holder: None, ..held_by("a", "8") }), seconds(101));
    assert!(matches!(elector.next(seconds(101), WALL), Step::Write(_)));
}

#[test]
fn a_holder_that_asks_for_more_time_gets_it_within_reason() {
    let mut elector = candidate("b");
    elector.read(Some(Record { duration: Some(seconds(60)), ..held_by("a", "7") }), seconds(100));
    elector.read(Some(Record { duration: Some(seconds(60)), ..held_by("a", "7") }), seconds(159));
    assert!(!matches!(elector.next(seconds(159), WALL), Step::Write(_)));
    let damaged = Record { duration: Some(Duration::MAX), ..held_by("a", "9") };
    elector.read(Some(damaged.clone()), seconds(200));
    elector.read(Some(damaged), seconds(200) + Timing::LONGEST);
    assert!(matches!(elector.next(seconds(200) + Timing::LONGEST, WALL), Step::Write(_)));
}

#[test]
fn a_leader_whose_renewals_are_not_accepted_ends_at_the_deadline() {
    let mut elector = leader();
    let Step::Write(_) = elector.next(seconds(102), WALL) else { panic!("no renewal") };
    elector.wrote(Err(Refusal::Unknown), seconds(102), seconds(107));
    assert_eq!(elector.leads_until(), Some(seconds(110)));
    assert_eq!(elector.next(seconds(110), WALL), Step::End(Loss::Deadline));
    assert_eq!(elector.leads_until(), None);
}

#[test]
fn a_leader_that_finds_another_holder_ends_at_once() {
    let mut elector = leader();
    elector.wrote(Err(Refusal::Conflict), seconds(102), seconds(102));
    assert_eq!(elector.next(seconds(102), WALL), Step::Read, "a conflict is looked into at once");
    elector.read(Some(held_by("b", "2")), seconds(102));
    assert_eq!(elector.next(seconds(102), WALL), Step::End(Loss::Taken("b".to_owned())));
}

#[test]
fn a_leader_whose_lease_is_deleted_ends_at_once() {
    let mut elector = leader();
    elector.wrote(Err(Refusal::Conflict), seconds(102), seconds(102));
    elector.read(None, seconds(102));
    assert_eq!(elector.next(seconds(102), WALL), Step::End(Loss::Withdrawn));
}

#[test]
fn a_renewal_whose_answer_was_lost_is_found_again_and_goes_on() {
    let mut elector = leader();
    let Step::Write(claim) = elector.next(seconds(102), WALL) else { panic!("no renewal") };
    elector.wrote(Err(Refusal::Unknown), seconds(102), seconds(104));
    assert_eq!(elector.next(seconds(106), WALL), Step::Read);
    elector.read(Some(accepted(claim, "2")), seconds(106));
    let Step::Write(claim) = elector.next(seconds(106), WALL) else { panic!("no renewal") };
    assert_eq!((claim.replaces.as_deref(), claim.transitions), (Some("2"), 0));
    elector.wrote(Ok(accepted(claim, "3")), seconds(106), seconds(106));
    assert_eq!(elector.leads_until(), Some(seconds(116)));
}

#[test]
fn an_answer_that_comes_after_the_deadline_makes_no_leader() {
    let mut elector = candidate("a");
    elector.read(None, seconds(100));
    let Step::Write(claim) = elector.next(seconds(100), WALL) else { panic!("no claim") };
    elector.wrote(Ok(accepted(claim, "1")), seconds(100), seconds(111));
    assert_eq!(elector.leads_until(), None);
    assert!(matches!(elector.next(seconds(111), WALL), Step::Write(_)), "it renews first");
}

#[test]
fn what_people_read_on_the_clock_decides_nothing() {
    let mut elector = leader();
    let far = Timestamp::MAX;
    let Step::Write(claim) = elector.next(seconds(102), far) else { panic!("no renewal") };
    elector.wrote(Ok(accepted(claim, "2")), seconds(102), seconds(102));
    assert_eq!(elector.leads_until(), Some(seconds(112)));
    let mut other = candidate("b");
    other.read(Some(Record { renewed_at: Some(Timestamp::MIN), ..held_by("a", "2") }), seconds(5));
    assert!(!matches!(other.next(seconds(5), far), Step::Write(_)));
}

#[test]
fn times_that_two_leaders_could_share_are_refused() {
    let timing = |duration, deadline, retry, request| {
        Timing::new(seconds(duration), seconds(deadline), seconds(retry), seconds(request))
    };
    assert!(matches!(timing(14, 10, 2, 5), Err(TimingError::TooShort { .. })));
    assert!(matches!(timing(15, 2, 2, 5), Err(TimingError::NoSecondTry { .. })));
    assert!(matches!(timing(0, 10, 2, 5), Err(TimingError::NotWholeSeconds(_))));
    assert!(matches!(timing(601, 10, 2, 5), Err(TimingError::NotWholeSeconds(_))));
    assert!(timing(15, 10, 2, 5).is_ok());
}

/// What happens to one request, in tenths of a second.
#[derive(Debug, Clone)]
struct Fate {
    candidate: usize,
    rest: u64,
    /// From sending to the server.
    there: u64,
    /// From the server to the answer.
    back: u64,
    answered: bool,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = (0..3_usize, 0..40_u64, 0..25_u64, 0..25_u64, proptest::bool::weighted(0.8));
    let fate =
        fate.prop_map(|(candidate, rest, there, back, answered)| Fate { candidate, rest, there, back, answered });
    proptest::collection::vec(fate, 1..400)
}

/// Compare-and-swap on one record, as the API server does it.
#[derive(Default)]
struct Shelf {
    record: Option<Record>,
    version: u64,
}

impl Shelf {
    fn write(&mut self, claim: Claim) -> Result<Record, Refusal> {
        if claim.replaces != self.record.as_ref().map(|record| record.version.clone()) {
            return Err(Refusal::Conflict);
        }
        self.version += 1;
        let record = accepted(claim, &self.version.to_string());
        self.record = Some(record.clone());
        Ok(record)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// One request after another, each candidate at its own pace and with a clock that began at another moment. Whoever
    /// led may still have a request under way for as long as a request may take; nobody else leads by then.
    #[test]
    fn two_leaders_can_never_both_write(fates in fates(), offsets in [0..1_000_u64, 0..1_000, 0..1_000]) {
        let tenths = |count: u64| Duration::from_millis(count * 100);
        let mut electors = ["a", "b", "c"].map(candidate);
        let mut shelf = Shelf::default();
        let mut now = 10_u64;
        let mut writes_until = [Duration::ZERO; 3];
        for Fate { candidate, rest, there, back, answered } in fates {
            now += rest;
            let offset = tenths(offsets[candidate]);
            let elector = &mut electors[candidate];
            let sent = offset + tenths(now);
            match elector.next(sent, WALL) {
                Step::Read => {
                    now += there;
                    let found = shelf.record.clone();
                    now += back;
                    let arrived = offset + tenths(now);
                    if answered { elector.read(found, arrived) } else { elector.read_failed(arrived) }
                }
                Step::Write(claim) => {
                    now += there;
                    let answer = shelf.write(claim);
                    now += back;
                    let answer = if answered { answer } else { Err(Refusal::Unknown) };
                    elector.wrote(answer, sent, offset + tenths(now));
                }
                Step::Rest { .. } => {}
                Step::End(_) => *elector = super::Elector::new(format!("{candidate}-{now}"), timing()),
            }
            if let Some(until) = electors[candidate].leads_until() {
                let until = until.saturating_sub(offset);
                if until > tenths(now) {
                    for (other, others) in writes_until.iter().enumerate().filter(|(other, _)| *other != candidate) {
                        prop_assert!(*others <= tenths(now), "{candidate} leads at {now} while {other} may write");
                    }
                    writes_until[candidate] = until + timing().request_timeout();
                }
            }
        }
    }
}

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

fn answering() -> Client {
    let answer = || Response::new(Body::from(br#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{}}"#.to_vec()));
    Client::new(tower::service_fn(move |_: http::Request<Body>| async move { Ok::<_, kube::Error>(answer()) }), "vouch")
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

/// A store whose requests can be made to hang.
#[derive(Clone, Default)]
struct TestStore {
    shelf: Arc<std::sync::Mutex<Shelf>>,
    hangs: Arc<std::sync::atomic::AtomicBool>,
}

impl LeaseStore for TestStore {
    async fn read(&self) -> Result<Option<Record>, LeaseError> {
        if self.hangs.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
        Ok(self.shelf.lock().unwrap().record.clone())
    }

    async fn write(&self, claim: Claim) -> Result<Record, LeaseError> {
        if self.hangs.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
        self.shelf.lock().unwrap().write(claim).map_err(|_| LeaseError::Conflict)
    }
}

/// Tokio's clock, which a test can let run ahead.
struct PausedClock(tokio::time::Instant);

impl Ticker for PausedClock {
    fn now(&self) -> Tick {
        self.0.elapsed()
    }
}

fn campaign(identity: &str, store: &TestStore, clock: &Arc<PausedClock>) -> Campaign<TestStore> {
    Campaign::new(identity.to_owned(), timing(), store.clone(), Arc::<PausedClock>::clone(clock))
}

#[tokio::test(start_paused = true)]
async fn renewals_that_are_never_answered_end_the_proof_and_the_process_at_the_deadline() {
    let (store, clock) = (TestStore::default(), Arc::new(PausedClock(tokio::time::Instant::now())));
    let (held, keeper) = campaign("a", &store, &clock).win(answering()).await;
    let keeping = tokio::spawn(keeper.keep(pending()));
    tokio::time::sleep(seconds(60)).await;
    assert!(held.check().is_ok(), "renewed all the time");
    store.hangs.store(true, Ordering::SeqCst);
    let silent_since = tokio::time::Instant::now();
    assert_eq!(keeping.await.unwrap(), Err(Loss::Deadline));
    assert_eq!(held.check(), Err(LeaseLost));
    assert!(silent_since.elapsed() <= seconds(10), "{:?}", silent_since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_clean_stop_lets_the_next_one_lead_at_once() {
    let (store, clock) = (TestStore::default(), Arc::new(PausedClock(tokio::time::Instant::now())));
    let (held, keeper) = campaign("a", &store, &clock).win(answering()).await;
    let (finish, done) = oneshot::channel::<()>();
    let keeping = tokio::spawn(keeper.keep(async { drop(done.await) }));
    let next = tokio::spawn(campaign("b", &store, &clock).win(answering()));
    tokio::time::sleep(seconds(30)).await;
    assert!(!next.is_finished());
    drop(finish);
    assert_eq!(keeping.await.unwrap(), Ok(()));
    assert_eq!(held.check(), Err(LeaseLost));
    let stopped = tokio::time::Instant::now();
    let (next, _keeper) = next.await.unwrap();
    assert!(next.check().is_ok());
    assert!(stopped.elapsed() <= seconds(2), "{:?}", stopped.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_died_is_followed_after_its_duration() {
    let (store, clock) = (TestStore::default(), Arc::new(PausedClock(tokio::time::Instant::now())));
    drop(campaign("a", &store, &clock).win(answering()).await);
    let started = tokio::time::Instant::now();
    let (next, _keeper) = campaign("b", &store, &clock).win(answering()).await;
    assert!(next.check().is_ok());
    assert!(started.elapsed() >= seconds(15) && started.elapsed() <= seconds(18), "{:?}", started.elapsed());
}
