//! Whole elections on tokio's clock, which a test can let run ahead.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::oneshot;

use super::*;
use crate::lease::{Campaign, LeaseHeld, LeaseLost, LeaseStore, Loss, Tick, Ticker, runner::Keeper, store::LeaseError};

/// A store whose requests can be made to hang, and whose writes can be made to be answered late.
#[derive(Clone, Default)]
struct TestStore {
    shelf: Arc<Mutex<Shelf>>,
    hangs: Arc<AtomicBool>,
    /// Seconds from a write to its answer.
    late: Arc<AtomicU64>,
}

impl TestStore {
    fn holder(&self) -> Option<String> {
        self.shelf.lock().unwrap().record.as_ref()?.holder.clone()
    }

    async fn until_held(&self) {
        while self.holder().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
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
        let answer = self.shelf.lock().unwrap().write(claim).map_err(|_| LeaseError::Conflict);
        tokio::time::sleep(seconds(self.late.load(Ordering::SeqCst))).await;
        answer
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

fn place() -> (TestStore, Arc<PausedClock>) {
    (TestStore::default(), Arc::new(PausedClock(tokio::time::Instant::now())))
}

async fn lead(identity: &str, store: &TestStore, clock: &Arc<PausedClock>) -> (LeaseHeld, Keeper<TestStore>) {
    campaign(identity, store, clock).win(answering(), pending()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn renewals_that_are_never_answered_end_the_proof_and_the_process_at_the_deadline() {
    let (store, clock) = place();
    let (held, keeper) = lead("a", &store, &clock).await;
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
    let (store, clock) = place();
    let (held, keeper) = lead("a", &store, &clock).await;
    let (finish, done) = oneshot::channel::<()>();
    let keeping = tokio::spawn(keeper.keep(async { drop(done.await) }));
    let next = tokio::spawn(campaign("b", &store, &clock).win(answering(), pending()));
    tokio::time::sleep(seconds(30)).await;
    assert!(!next.is_finished());
    drop(finish);
    assert_eq!(keeping.await.unwrap(), Ok(()));
    assert_eq!(held.check(), Err(LeaseLost));
    let stopped = tokio::time::Instant::now();
    let (next, _keeper) = next.await.unwrap().unwrap();
    assert!(next.check().is_ok());
    assert!(stopped.elapsed() <= seconds(2), "{:?}", stopped.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_died_is_followed_after_its_duration() {
    let (store, clock) = place();
    drop(lead("a", &store, &clock).await);
    let started = tokio::time::Instant::now();
    let (next, _keeper) = lead("b", &store, &clock).await;
    assert!(next.check().is_ok());
    assert!(started.elapsed() >= seconds(15) && started.elapsed() <= seconds(18), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_lease_is_deleted_ends_before_a_newcomer_leads_and_never_makes_it_again() {
    let (store, clock) = place();
    let (held, keeper) = lead("a", &store, &clock).await;
    let keeping = tokio::spawn(keeper.keep(pending()));
    tokio::time::sleep(Duration::from_millis(30_100)).await;
    store.shelf.lock().unwrap().record = None;
    let newcomer = tokio::spawn(campaign("b", &store, &clock).win(answering(), pending()));
    let deleted = tokio::time::Instant::now();
    assert_eq!(keeping.await.unwrap(), Err(Loss::Withdrawn));
    assert!(deleted.elapsed() <= seconds(2), "{:?}", deleted.elapsed());
    assert_eq!(held.check(), Err(LeaseLost));
    assert!(!newcomer.is_finished() && store.holder().is_none());
    let (newcomer, _keeper) = newcomer.await.unwrap().unwrap();
    assert!(newcomer.check().is_ok());
    assert_eq!(store.holder().as_deref(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_renewal_is_refused_writes_nothing_while_nobody_answers_its_look() {
    let (store, clock) = place();
    let (held, keeper) = lead("a", &store, &clock).await;
    let keeping = tokio::spawn(keeper.keep(pending()));
    tokio::time::sleep(Duration::from_millis(30_100)).await;
    store.late.store(1, Ordering::SeqCst);
    store.shelf.lock().unwrap().record = None;
    tokio::time::sleep(seconds(2)).await;
    // The renewal has been refused by now, and its answer is under way.
    store.hangs.store(true, Ordering::SeqCst);
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(held.check(), Err(LeaseLost));
    assert_eq!(keeping.await.unwrap(), Err(Loss::Deadline));
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_is_stopped_while_it_takes_the_lease_gives_it_back() {
    // An answer that comes late, and one that comes after everybody has given up waiting for it.
    for late in [1, 60] {
        let (store, clock) = place();
        store.late.store(late, Ordering::SeqCst);
        let (stop, stopped) = oneshot::channel::<()>();
        let candidate = campaign("a", &store, &clock);
        let campaigning = tokio::spawn(candidate.win(answering(), async { drop(stopped.await) }));
        store.until_held().await;
        drop(stop);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(store.holder().as_deref(), Some("a"), "still under way");
        if late > 5 {
            tokio::time::sleep(seconds(4)).await;
            store.late.store(0, Ordering::SeqCst);
        }
        assert!(campaigning.await.unwrap().is_none());
        assert_eq!(store.holder(), None, "{late}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_waits_stops_at_once_and_touches_nothing() {
    let (store, clock) = place();
    let _leader = lead("a", &store, &clock).await;
    let before = store.shelf.lock().unwrap().record.clone();
    let started = tokio::time::Instant::now();
    let standby = campaign("b", &store, &clock).win(answering(), tokio::time::sleep(Duration::from_millis(500)));
    assert!(standby.await.is_none());
    assert_eq!(started.elapsed(), Duration::from_millis(500));
    assert_eq!(store.shelf.lock().unwrap().record, before);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_stopped_while_it_renews_gives_the_lease_back() {
    let (store, clock) = place();
    let (held, keeper) = lead("a", &store, &clock).await;
    store.late.store(1, Ordering::SeqCst);
    let version = || store.shelf.lock().unwrap().record.clone().unwrap().revision.version;
    let before = version();
    let (finish, done) = oneshot::channel::<()>();
    let keeping = tokio::spawn(keeper.keep(async { drop(done.await) }));
    while version() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(finish);
    assert_eq!(keeping.await.unwrap(), Ok(()));
    assert_eq!((store.holder(), held.check()), (None, Err(LeaseLost)));
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_give_the_lease_back_does_not_try_for_long() {
    let (store, clock) = place();
    let (_held, keeper) = lead("a", &store, &clock).await;
    store.hangs.store(true, Ordering::SeqCst);
    let started = tokio::time::Instant::now();
    assert_eq!(keeper.keep(async {}).await, Ok(()));
    assert!(started.elapsed() <= seconds(10), "{:?}", started.elapsed());
}
