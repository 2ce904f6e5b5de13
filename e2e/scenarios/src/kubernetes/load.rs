//! Steady load while something breaks: people sign in, programs ask for credentials, verifiers read the key set. Whatever
//! fails is tried once more, three seconds later, and where that is left to Kubernetes, when it has noticed what broke; what
//! fails then is lost, and so is what is answered wrongly.

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::site::Site;
use crate::{
    developer::{Developer, unlock_unless_it_ends},
    guide::{self, HUB, developer_role},
    manifest::JWKS_URL,
    virtual_key::VirtualKey,
    wait::until,
};

/// Between two requests for credentials, and between two of a verifier.
const PACE: Duration = Duration::from_millis(100);
/// Between two logins of one person. The issuer remembers the last 64 of five minutes, and takes no more.
const LOGIN_PACE: Duration = Duration::from_secs(5);
/// Before something is tried once more. The Services of every node learn in a second or two what the cluster has noticed:
/// whoever asks again sooner may be sent to the same dead pod.
const RETRY: Duration = Duration::from_secs(3);
/// The load ends by itself then, which is a failure: what happened after it was tested by nobody. Three times as long as the
/// longest scenario on a busy machine.
const BOUND: Duration = Duration::from_secs(1800);
/// Nobody waits longer for an answer, whatever happens: a connection that leads nowhere any more is given up after eight
/// seconds, and one that cannot be made after five, for another one. Of these there may be two, since Kubernetes leads to a
/// lost node for some twelve seconds.
const LONGEST: Duration = Duration::from_secs(20);
/// Two requests of a kind end in this time, each at a second try and as late as it may.
const SETTLED: Duration = Duration::from_secs(90);
/// Durations of AWS sessions, in seconds. One that nobody asked for before is a credential that nobody has cached. When all
/// have been asked for, the load ends by itself, too.
const DURATIONS: std::ops::Range<usize> = 900..3600;

/// People and programs at work. Dropping it sends them home.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    workers: Vec<Worker>,
    _keys: Vec<VirtualKey>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By programs, in sessions that have begun.
    Credentials,
    /// By people; each is written down.
    Logins,
    /// By verifiers, which know nothing of the product and go wherever the Service leads.
    KeySets,
}

/// Somebody who makes requests of one kind.
#[derive(Debug)]
struct Worker {
    kind: Kind,
    /// Held by whoever breaks something; nothing is tried again meanwhile.
    breaking: Arc<RwLock<()>>,
    /// How many of the requests have come to an end, be it a bad one.
    ended: Arc<AtomicUsize>,
    thread: JoinHandle<Tally>,
}

/// How requests of one kind went.
#[derive(Debug, Default)]
struct Tally {
    done: usize,
    retried: Vec<String>,
    lost: Vec<String>,
    slowest: Duration,
    /// Whether it ended by itself.
    expired: bool,
}

/// Why a request is not as it should be; for people.
enum Failure {
    /// It may go better at the second try.
    Unanswered(String),
    /// No second answer makes it good.
    Wrong(String),
}

impl Load {
    /// Alice's programs ask for credentials, bob signs in again and again, and a verifier reads what is published.
    ///
    /// # Panics
    /// When the two cannot enroll.
    #[must_use]
    pub fn begin(site: &Site<'_>) -> Self {
        site.cloud.prepare(&guide::direct_role(HUB));
        let (alice, alices_key) = site.signed_in("alice");
        let (bob, bobs_key) = site.signed_in("bob");
        let verifier = site.trusting(reqwest::blocking::Client::builder()).pool_max_idle_per_host(0);
        let proxy = reqwest::Proxy::all(site.cloud.standin.proxy()).unwrap();
        let verifier = verifier.proxy(proxy).timeout(Duration::from_secs(10)).build().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let worker = |kind, pace, turns, job: Job| {
            let (breaking, ended) = (Arc::default(), Arc::default());
            let shared = (Arc::clone(&stop), Arc::clone(&breaking), Arc::clone(&ended));
            let work = move || work(&shared.0, &shared.1, &shared.2, pace, turns, job);
            Worker { kind, breaking, ended, thread: thread::spawn(work) }
        };
        let workers = vec![
            worker(Kind::Credentials, PACE, DURATIONS.len(), Box::new(move |turn| credential(&alice, turn))),
            worker(Kind::Logins, LOGIN_PACE, usize::MAX, Box::new(move |_| login(&bob))),
            worker(Kind::KeySets, PACE, usize::MAX, Box::new(move |_| key_set(&verifier))),
        ];
        Self { stop, workers, _keys: vec![alices_key, bobs_key] }
    }

    /// Lets something break, which lasts until Kubernetes has noticed. Requests of these kinds are not tried again before:
    /// how soon it notices is its own affair and the machine's. The others have to go on as if nothing had happened.
    pub fn broken_for<T>(&self, kinds: &[Kind], breakage: impl FnOnce() -> T) -> T {
        let concerned = self.workers.iter().filter(|worker| kinds.contains(&worker.kind));
        let _held: Vec<_> = concerned.map(|worker| worker.breaking.write()).collect();
        breakage()
    }

    /// Waits until whatever is under way has come to its end, at the second try if need be, and one more request of each
    /// kind. What breaks next meets other requests: one retry is promised to make good one loss, not two.
    ///
    /// # Panics
    /// When the requests of some kind do not end.
    pub fn settle(&self) {
        let before: Vec<usize> = self.workers.iter().map(Worker::ended).collect();
        for (worker, before) in self.workers.iter().zip(before) {
            let what = format!("{:?} under way, and the next, to end", worker.kind);
            until(&what, SETTLED, || (worker.ended() >= before + 2).then_some(()));
        }
    }

    /// Ends it, and insists that every kind of request was made all the time, that none was lost, and that nobody waited for
    /// long.
    ///
    /// # Panics
    /// When it was otherwise.
    pub fn end_without_loss(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for Worker { kind, thread, .. } in self.workers.drain(..) {
            let tally = thread.join().unwrap_or_else(|_| panic!("{kind:?}: a program hung"));
            let Tally { done, retried, lost, slowest, expired } = &tally;
            eprintln!(
                "{kind:?}: {done} answered, {} of them at the second try, the slowest in {slowest:?}",
                retried.len()
            );
            retried.iter().for_each(|first| eprintln!("{kind:?}, at the first try: {first}"));
            assert!(lost.is_empty(), "{kind:?}: {} lost, {done} answered:\n{}", lost.len(), lost.join("\n"));
            assert!(*done > 0, "no {kind:?}");
            assert!(!expired, "{kind:?} ended by themselves after {done}, before what they were to outlive");
            assert!(*slowest < LONGEST, "{kind:?}: somebody waited {slowest:?}");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.workers.drain(..).for_each(|worker| drop(worker.thread.join()));
    }
}

impl Worker {
    fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }
}

/// Makes the request of a turn.
type Job = Box<dyn FnMut(usize) -> Result<(), Failure> + Send>;

impl Tally {
    fn time(&mut self, job: &mut Job, turn: usize) -> Result<(), Failure> {
        let asked = Instant::now();
        let answer = job(turn);
        self.slowest = self.slowest.max(asked.elapsed());
        answer
    }

    /// Makes the request of a turn, and once more if nothing comes of it.
    fn take_turn(&mut self, job: &mut Job, turn: usize, breaking: &RwLock<()>) {
        let first = match self.time(job, turn) {
            Ok(()) => return self.done += 1,
            Err(Failure::Wrong(answer)) => return self.lost.push(answer),
            Err(Failure::Unanswered(first)) => first,
        };
        drop(breaking.read());
        thread::sleep(RETRY);
        match self.time(job, turn) {
            Ok(()) => {
                self.done += 1;
                self.retried.push(first);
            }
            Err(Failure::Unanswered(second) | Failure::Wrong(second)) => {
                self.lost.push(format!("{first}\n  and then: {second}"));
            }
        }
    }
}

fn work(
    stop: &AtomicBool,
    breaking: &RwLock<()>,
    ended: &AtomicUsize,
    pace: Duration,
    turns: usize,
    mut job: Job,
) -> Tally {
    let started = Instant::now();
    let mut tally = Tally::default();
    for turn in 0..turns {
        if stop.load(Ordering::SeqCst) || started.elapsed() >= BOUND {
            break;
        }
        tally.take_turn(&mut job, turn, breaking);
        ended.fetch_add(1, Ordering::SeqCst);
        let rested = Instant::now();
        while rested.elapsed() < pace && !stop.load(Ordering::SeqCst) {
            thread::sleep(PACE.min(pace));
        }
    }
    tally.expired = !stop.load(Ordering::SeqCst);
    tally
}

fn credential(person: &Developer, turn: usize) -> Result<(), Failure> {
    let duration = (DURATIONS.start + turn).to_string();
    let ran = person.vouch(&["credential", "aws", "--role", &developer_role(HUB), "--duration", &duration]);
    if ran.code == Some(0) { Ok(()) } else { Err(Failure::Unanswered(ran.to_string())) }
}

fn login(person: &Developer) -> Result<(), Failure> {
    let mut terminal = person.vouch_at_terminal(&["login", "--force"]);
    let _ = unlock_unless_it_ends(&mut terminal);
    let finished = terminal.finish();
    if finished.status.success() { Ok(()) } else { Err(Failure::Unanswered(finished.text)) }
}

fn key_set(verifier: &reqwest::blocking::Client) -> Result<(), Failure> {
    let unanswered = |error: reqwest::Error| Failure::Unanswered(format!("{error:?}"));
    let answer = verifier.get(JWKS_URL).send();
    let answer = answer.and_then(reqwest::blocking::Response::error_for_status).map_err(unanswered)?;
    let keys: serde_json::Value = answer.json().map_err(unanswered)?;
    match keys["keys"].as_array() {
        Some(keys) if !keys.is_empty() => Ok(()),
        _ => Err(Failure::Wrong(format!("an empty key set: {keys}"))),
    }
}
