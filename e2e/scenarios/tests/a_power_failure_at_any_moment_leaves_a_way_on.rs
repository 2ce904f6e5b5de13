//! `kill -9` of every party at moments spread over a whole ceremony: what was told to a person is true, nothing is torn,
//! and the words on the screen lead to a session.
//!
//! |            | enrollment                                       | login                           |
//! |------------|--------------------------------------------------|---------------------------------|
//! | issuer     | the key is enrolled with its invite, or neither  | the next tap signs in           |
//! | agent      | the same; a new agent takes over                 | the same; a new agent takes over |
//! | command    | the same; nobody was told, the next try tells    | the same                        |
//!
//! Half of the blows fall between two TLS records, the others after a part of the time that the ceremony takes unharmed.
//! `VOUCH_KILL_SEED` repeats the moments of an earlier run, `VOUCH_KILL_ROUNDS` makes more of them.

use std::{
    env,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, UNIX_EPOCH},
};

use serde_json::Value;
use vouch_scenarios::{
    World, binaries,
    developer::{Developer, agent_at, unlock_unless_it_ends},
    issuer::Invite,
    manifest::{ISSUER_HOST, ISSUER_URL},
    process::{Ran, has_ended, kill, tied},
    terminal::{Finished, Terminal},
    virtual_key::VirtualKey,
    wire::{Fate, Wire},
};

const ROUNDS: usize = 8;

#[test]
fn an_issuer_that_dies_during_an_enrollment_has_enrolled_the_key_or_kept_the_invite() {
    enrollments(Victim::Issuer);
}

#[test]
fn an_agent_that_dies_during_an_enrollment_leaves_a_way_on() {
    enrollments(Victim::Agent);
}

#[test]
fn a_command_that_dies_during_an_enrollment_leaves_a_way_on() {
    enrollments(Victim::Command);
}

#[test]
fn an_issuer_that_dies_during_a_login_costs_one_tap() {
    logins(Victim::Issuer);
}

#[test]
fn an_agent_that_dies_during_a_login_costs_one_tap() {
    logins(Victim::Agent);
}

#[test]
fn a_command_that_dies_during_a_login_costs_one_tap() {
    logins(Victim::Command);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Issuer,
    Agent,
    Command,
}

/// When a blow falls.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Record { after: usize, fate: Fate },
    Time(Duration),
}

/// The ceremony when nothing happens to it.
#[derive(Debug)]
struct Unharmed {
    records: usize,
    time: Duration,
}

/// A world whose issuer is reached over a wire.
struct Scene {
    world: World,
    wire: Wire,
}

/// Everybody enrolls with a key of their own, once with a blow.
fn enrollments(victim: Victim) {
    let mut scene = Scene::set();
    let (unharmed, ()) = scene.measure(|scene| {
        let (person, invite) = scene.newcomer("measure");
        let _ = scene.interrupted(&person, &enroll(&invite), None).0.succeeded();
    });
    let rounds = unharmed.moments(victim).map(|(round, moment)| {
        let name = format!("person{round}");
        let (person, invite) = scene.newcomer(&name);
        let (finished, struck) = scene.interrupted(&person, &enroll(&invite), Some((victim, moment)));
        scene.recover();
        scene.nothing_is_torn(&person);

        let told = finished.status.success();
        let enrolled = scene.keys_of(&name).len();
        assert!(enrolled <= 1 && (enrolled == 1 || !told), "{enrolled} keys at the issuer: {finished}");
        if !told && victim != Victim::Command {
            assert!(finished.text.contains("vouch login") || enrolled == 0, "no way to find out: {finished}");
            assert!(finished.text.to_lowercase().contains("again") || enrolled == 1, "no way on: {finished}");
        }
        // The way on is the same for everybody: the same command again.
        if enrolled == 0 {
            let _ = person.enroll(&invite);
        } else if !told {
            let _ = person.vouch_at_terminal(&words(&enroll(&invite))).finish().failed(5, "vouch login");
        }
        let _ = person.login();
        let status = person.vouch(&["status", "--output", "json"]).succeeded().json();
        assert_eq!(status["session"]["email"], format!("{name}@example.com"));
        assert_eq!(scene.keys_of(&name).len(), 1, "one key, and no other");
        struck
    });
    enough(rounds);
}

/// One person signs in again and again, with a blow each time.
fn logins(victim: Victim) {
    let mut scene = Scene::set();
    let (person, invite) = scene.newcomer("alice");
    let _ = person.enroll(&invite);
    let keys = scene.keys_of("alice");
    let login = vec!["login".to_owned()];
    let (unharmed, ()) = scene.measure(|scene| {
        let _ = person.vouch(&["agent", "stop"]).succeeded();
        let _ = scene.interrupted(&person, &login, None).0.succeeded();
    });
    let rounds = unharmed.moments(victim).map(|(_, moment)| {
        let _ = person.vouch(&["agent", "stop"]);
        let (finished, struck) = scene.interrupted(&person, &login, Some((victim, moment)));
        scene.recover();
        scene.nothing_is_torn(&person);

        let signed_in = person.vouch(&["status"]).code == Some(0);
        if victim == Victim::Issuer && finished.status.success() {
            assert!(signed_in, "who was told so is signed in: {finished}");
        }
        if !finished.status.success() && victim != Victim::Command {
            assert!(
                ["vouch login", "Try again"].iter().any(|way| finished.text.contains(way)),
                "no way on: {finished}"
            );
        }
        let _ = person.login_again();
        let _ = person.vouch(&["status"]).succeeded();
        assert_eq!(ids(&scene.keys_of("alice")), ids(&keys), "no key is lost");
        struck
    });
    enough(rounds);
}

impl Scene {
    fn set() -> Self {
        let world = World::start();
        let wire = Wire::to(world.issuer.listeners().public);
        world.cloud.standin.route(ISSUER_HOST, wire.address());
        Self { world, wire }
    }

    /// A person with a new key and an invite.
    fn newcomer(&self, name: &str) -> (Newcomer, Invite) {
        let key = self.world.key(&format!("key-of-{name}"));
        let mut person = self.world.developer(name);
        person.insert(&key);
        (Newcomer { person, _key: key }, self.world.issuer.invite(&format!("{name}@example.com")))
    }

    fn measure<T>(&mut self, ceremony: impl FnOnce(&mut Self) -> T) -> (Unharmed, T) {
        let (before, started) = (self.wire.passed(), Instant::now());
        let done = ceremony(self);
        (Unharmed { records: self.wire.passed() - before, time: started.elapsed() }, done)
    }

    /// Runs a ceremony to its end, whichever that is, and says whether the blow fell before it.
    fn interrupted(
        &self,
        person: &Developer,
        arguments: &[String],
        blow: Option<(Victim, Moment)>,
    ) -> (Finished, bool) {
        let before = self.wire.passed();
        let mut terminal = person.vouch_at_terminal(&words(arguments));
        let struck = Arc::new(AtomicBool::new(false));
        let timer = blow.and_then(|(victim, moment)| {
            let target = self.target(victim, person, &terminal);
            let ours = Arc::clone(&struck);
            let strike = move || ours.store(target.kill(), Ordering::SeqCst);
            match moment {
                Moment::Record { after, fate } => {
                    self.wire.strike(before + after, fate, strike);
                    None
                }
                Moment::Time(time) => Some(thread::spawn(move || {
                    thread::sleep(time);
                    strike();
                })),
            }
        });
        let _ = unlock_unless_it_ends(&mut terminal);
        let finished = terminal.finish();
        self.wire.rest();
        timer.into_iter().for_each(|timer| timer.join().unwrap());
        (finished, struck.load(Ordering::SeqCst))
    }

    fn target(&self, victim: Victim, person: &Developer, terminal: &Terminal) -> Target {
        match victim {
            Victim::Issuer => Target::Process(self.world.issuer.id()),
            Victim::Command => Target::Process(terminal.id()),
            Victim::Agent => Target::ListenerAt(person.agent_socket()),
        }
    }

    /// The next start works, whatever happened to the last run.
    fn recover(&mut self) {
        if has_ended(self.world.issuer.id()) {
            self.world.issuer.kill();
            self.world.restart_issuer();
            self.wire.lead_to(self.world.issuer.listeners().public);
            self.world.cloud.standin.route(ISSUER_HOST, self.wire.address());
        }
    }

    /// SQLite itself, and not the product, says that the database is whole; the product reads its configuration.
    fn nothing_is_torn(&self, person: &Developer) {
        const CHECK: &str =
            "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('pragma integrity_check'))";
        let mut python = tied(binaries::aws_clients().join("python"));
        python.args(["-c", CHECK]).arg(self.world.issuer.data().join("issuer.db"));
        let checked = Ran::to_the_end("integrity_check".to_owned(), &mut python).succeeded();
        assert_eq!(checked.stdout.trim(), "('ok',)", "{checked}");
        let status = person.vouch(&["status"]);
        assert!(matches!(status.code, Some(0 | 2)), "{status}");
    }

    fn keys_of(&self, name: &str) -> Vec<Value> {
        let email = format!("{name}@example.com");
        let shown = self.world.issuer.admin(&["users", "show", &email, "--output", "json"]).succeeded().json();
        shown["keys"].as_array().cloned().unwrap_or_default()
    }
}

/// A person whose key stays plugged in.
struct Newcomer {
    person: Developer,
    _key: VirtualKey,
}

impl std::ops::Deref for Newcomer {
    type Target = Developer;

    fn deref(&self) -> &Developer {
        &self.person
    }
}

/// What a blow hits.
enum Target {
    Process(u32),
    ListenerAt(PathBuf),
}

impl Target {
    /// Kills it and sees it dead; false when there was nothing to kill.
    fn kill(self) -> bool {
        let id = match self {
            Self::Process(id) => Some(id),
            Self::ListenerAt(socket) => agent_at(&socket),
        };
        let Some(id) = id.filter(|id| !has_ended(*id)) else { return false };
        kill(id);
        true
    }
}

impl Unharmed {
    /// Moments all over the ceremony: each round has a part of its own, and a place in it that the seed decides.
    #[allow(clippy::print_stderr, reason = "what is printed here repeats a run that failed")]
    fn moments(&self, victim: Victim) -> impl Iterator<Item = (usize, Moment)> + use<> {
        let rounds = number("VOUCH_KILL_ROUNDS").unwrap_or(ROUNDS as u64).max(2);
        let seed = number("VOUCH_KILL_SEED").unwrap_or_else(|| UNIX_EPOCH.elapsed().unwrap().as_secs());
        eprintln!("{victim:?}: VOUCH_KILL_SEED={seed} VOUCH_KILL_ROUNDS={rounds}, {self:?}");
        let (records, time) = (self.records as u64, self.time);
        (0..rounds).map(move |round| {
            let luck = mixed(seed.wrapping_add(round));
            let (part, parts) = (round / 2, rounds.div_ceil(2));
            // In thousandths of the ceremony.
            let place = (part * 1_000 + luck % 1_000) / parts;
            let moment = if round % 2 == 0 {
                let fate = if luck & (1 << 40) == 0 { Fate::Arrives } else { Fate::IsLost };
                Moment::Record { after: usize::try_from(records * place / 1_000).unwrap(), fate }
            } else {
                Moment::Time(time * u32::try_from(place).unwrap() / 1_000)
            };
            eprintln!("round {round}: {moment:?}");
            (usize::try_from(round).unwrap(), moment)
        })
    }
}

/// A blow may come too late, or before there is anything to hit. Most must not.
fn enough(rounds: impl Iterator<Item = bool>) {
    let struck: Vec<bool> = rounds.collect();
    let hits = struck.iter().filter(|struck| **struck).count();
    assert!(hits * 2 >= struck.len(), "{hits} of {} blows hit anything", struck.len());
}

fn enroll(invite: &Invite) -> Vec<String> {
    ["enroll", ISSUER_URL, "--code", &invite.code].map(str::to_owned).into()
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn ids(keys: &[Value]) -> Vec<&str> {
    keys.iter().map(|key| key["id"].as_str().unwrap()).collect()
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// `SplitMix64`: a step from one seed to a number that looks like nothing.
fn mixed(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
