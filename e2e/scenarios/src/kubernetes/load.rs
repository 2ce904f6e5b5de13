//! Steady load while something breaks: people sign in, programs ask for credentials, verifiers read the key set. Whatever
//! fails is tried once more, three seconds later; what fails then is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::site::Site;
use crate::{
    developer::{Developer, unlock_unless_it_ends},
    guide::{self, HUB, developer_role},
    manifest::ISSUER_URL,
    virtual_key::VirtualKey,
};

/// Between two requests for credentials, and between two of a verifier.
const PACE: Duration = Duration::from_millis(100);
/// Between two logins of one person. The issuer remembers the last 64 of five minutes, and takes no more.
const LOGIN_PACE: Duration = Duration::from_secs(3);
/// Before something is tried once more. A kubelet looks once a second whether containers have ended, and the Services of
/// every node learn of it in another second or two: whoever asks again sooner may be sent to the same dead pod.
const RETRY: Duration = Duration::from_secs(3);
/// The load ends by itself then.
const BOUND: Duration = Duration::from_secs(600);
/// Nobody waits longer for an answer, whatever happens: a connection that leads nowhere any more is given up after eight
/// seconds, and one that cannot be made after five, for another one.
const LONGEST: Duration = Duration::from_secs(15);
/// Durations of AWS sessions, in seconds. One that nobody asked for before is a credential that nobody has cached.
const DURATIONS: std::ops::Range<usize> = 900..3600;

/// People and programs at work. Dropping it sends them home.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    workers: Vec<(&'static str, JoinHandle<Tally>)>,
    _keys: Vec<VirtualKey>,
}

/// How requests of one kind went.
#[derive(Debug, Default)]
struct Tally {
    done: usize,
    retried: Vec<String>,
    lost: Vec<String>,
    slowest: Duration,
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
        let worker = |pace, job: Job| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || work(&stop, pace, job))
        };
        let workers = vec![
            ("credentials", worker(PACE, Box::new(move |turn| credential(&alice, turn)))),
            ("logins", worker(LOGIN_PACE, Box::new(move |_| login(&bob)))),
            ("key sets", worker(PACE, Box::new(move |_| key_set(&verifier)))),
        ];
        Self { stop, workers, _keys: vec![alices_key, bobs_key] }
    }

    /// Ends it, and insists that every kind of request was made, that none was lost, and that nobody waited for long.
    ///
    /// # Panics
    /// When it was otherwise.
    pub fn end_without_loss(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for (kind, worker) in self.workers.drain(..) {
            let tally = worker.join().unwrap_or_else(|_| panic!("{kind}: a program hung"));
            let Tally { done, retried, lost, slowest } = &tally;
            eprintln!(
                "{kind}: {done} answered, {} of them at the second try, the slowest in {slowest:?}",
                retried.len()
            );
            retried.iter().for_each(|first| eprintln!("{kind}, at the first try: {first}"));
            assert!(lost.is_empty(), "{kind}: {} lost, {done} answered:\n{}", lost.len(), lost.join("\n"));
            assert!(*done > 0, "no {kind}");
            assert!(*slowest < LONGEST, "{kind}: somebody waited {slowest:?}");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.workers.drain(..).for_each(|(_, worker)| drop(worker.join()));
    }
}

/// Makes the request of a turn; the error is for people.
type Job = Box<dyn FnMut(usize) -> Result<(), String> + Send>;

impl Tally {
    fn time(&mut self, job: &mut Job, turn: usize) -> Result<(), String> {
        let asked = Instant::now();
        let answer = job(turn);
        self.slowest = self.slowest.max(asked.elapsed());
        answer
    }
}

fn work(stop: &AtomicBool, pace: Duration, mut job: Job) -> Tally {
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut turn = 0;
    while !stop.load(Ordering::SeqCst) && started.elapsed() < BOUND {
        turn += 1;
        match tally.time(&mut job, turn) {
            Ok(()) => tally.done += 1,
            Err(first) => {
                thread::sleep(RETRY);
                match tally.time(&mut job, turn) {
                    Ok(()) => {
                        tally.done += 1;
                        tally.retried.push(first);
                    }
                    Err(second) => tally.lost.push(format!("{first}\n  and then: {second}")),
                }
            }
        }
        let rested = Instant::now();
        while rested.elapsed() < pace && !stop.load(Ordering::SeqCst) {
            thread::sleep(PACE.min(pace));
        }
    }
    tally
}

fn credential(person: &Developer, turn: usize) -> Result<(), String> {
    let duration = (DURATIONS.start + turn % DURATIONS.len()).to_string();
    let ran = person.vouch(&["credential", "aws", "--role", &developer_role(HUB), "--duration", &duration]);
    if ran.code == Some(0) { Ok(()) } else { Err(ran.to_string()) }
}

fn login(person: &Developer) -> Result<(), String> {
    let mut terminal = person.vouch_at_terminal(&["login", "--force"]);
    let _ = unlock_unless_it_ends(&mut terminal);
    let finished = terminal.finish();
    if finished.status.success() { Ok(()) } else { Err(finished.text) }
}

fn key_set(verifier: &reqwest::blocking::Client) -> Result<(), String> {
    let answer = verifier.get(format!("{ISSUER_URL}/.well-known/jwks.json")).send();
    let answer =
        answer.and_then(reqwest::blocking::Response::error_for_status).map_err(|error| format!("{error:?}"))?;
    let keys: serde_json::Value = answer.json().map_err(|error| format!("{error:?}"))?;
    match keys["keys"].as_array() {
        Some(keys) if !keys.is_empty() => Ok(()),
        _ => Err(format!("an empty key set: {keys}")),
    }
}
