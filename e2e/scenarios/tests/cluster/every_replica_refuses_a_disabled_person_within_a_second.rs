//! Alice works at three machines, each of which reaches another pod. When she is disabled, each of them is refused within
//! a second: by the plugin and the real clients, and then a thousand times as fast as a machine can ask.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use vouch_crds::names::{signing_keys, user_object_name};
use vouch_scenarios::{
    developer::Developer,
    guide::{self, HUB, developer_role},
    kubernetes::{
        self,
        api::{self, Api},
        pod::Pod,
        session::Session,
        site::{ISSUER, Site},
    },
    manifest::{ISSUER_HOST, Manifest},
    standin::StandIn,
    virtual_key::VirtualKey,
    wait::{PATIENCE, until},
};

const EMAIL: &str = "alice@example.com";
const TRIES: usize = 1000;
const BOUND: Duration = Duration::from_secs(1);
/// An answer takes no longer, and what the machine adds to it.
const ANSWER: Duration = Duration::from_secs(5);

/// A machine of alice's that reaches one pod alone.
fn machine(site: &Site<'_>, pod: &Pod, key: &VirtualKey) -> (Developer, StandIn) {
    let folder = site.folder().join(&pod.name);
    std::fs::create_dir_all(&folder).unwrap();
    let way = StandIn::start(&folder, &site.folder().join("issuer-ca.pem"));
    way.route(ISSUER_HOST, pod.public());
    let mut machine = site.developer(&format!("alice-at-{}", pod.name));
    machine.set("HTTPS_PROXY", way.proxy());
    machine.insert(key);
    machine.login_for_the_first_time();
    (machine, way)
}

/// Waits at each of them for an end, and says when it was asked that answered so, and when it had answered.
fn when_all<T: Send>(places: &mut [T], ended: impl Fn(&mut T) -> bool + Sync) -> Vec<(Instant, Instant)> {
    let ask = &|place: &mut T| {
        let asked = Instant::now();
        let has_ended = ended(place);
        assert!(asked.elapsed() < ANSWER, "an answer took {:?}", asked.elapsed());
        has_ended.then(|| (asked, Instant::now()))
    };
    let wait = &|place: &mut T| until("a replica to hear of it", PATIENCE, || ask(place));
    thread::scope(|scope| {
        let waiting: Vec<_> = places.iter_mut().map(|place| scope.spawn(move || wait(place))).collect();
        waiting.into_iter().map(|place| place.join().unwrap()).collect()
    })
}

#[test]
fn every_replica_refuses_a_disabled_person_within_a_second() {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::start_with(installation, "disabled", Manifest::lift_rate_limits);
    site.cloud.prepare(&guide::direct_role(HUB));
    let (alice, key) = site.signed_in("alice");
    let pods = site.await_pods(3);

    let mut machines: Vec<_> = pods.iter().map(|pod| machine(&site, pod, &key)).collect();
    let goes_on = |machine: &Developer| machine.vouch(&["keys", "list"]).code == Some(0);
    assert!(machines.iter().all(|(machine, _)| goes_on(machine)));
    let _ = site.plugin(&["disable", EMAIL]).succeeded();
    let disabled = Instant::now();
    let refused = when_all(&mut machines, |(machine, _)| !goes_on(machine));
    // How long a machine takes over a program's question and answer says nothing about the replica.
    assert!(refused.iter().all(|(asked, _)| *asked - disabled < BOUND), "{refused:?} after {disabled:?}");
    let credential = alice.vouch(&["credential", "aws", "--role", &developer_role(HUB)]);
    let _ = credential.failed(2, "you are not signed in");
    let _ = site.plugin(&["enable", EMAIL]).succeeded();
    alice.login();
    drop(machines);

    let mut tries = a_thousand_tries(&site, &pods);
    tries.sort();
    let share = |part: usize| tries[(tries.len() - 1) * part / 100];
    let (median, most, worst) = (share(50), share(99), share(100));
    eprintln!("disabled to refused by every replica, {TRIES} tries: median {median:?}, 99 % {most:?}, worst {worst:?}");
    assert!(worst < BOUND, "{worst:?}");
}

/// From the moment before alice is disabled to the refusal of the last replica, each time.
fn a_thousand_tries(site: &Site<'_>, pods: &[Pod]) -> Vec<Duration> {
    let api = Api::of(site.cluster());
    let person = api::vouch(site.namespace(), "vouchusers", &user_object_name(EMAIL));
    let secret = api.get(&api::core(site.namespace(), "secrets", &signing_keys::name(ISSUER)));
    let mut sessions: Vec<_> = pods.iter().map(|pod| Session::at(site, pod)).collect();
    let mut tries = Vec::with_capacity(TRIES);
    for number in 1..=TRIES {
        let alice = api.merge(&person, &json!({"spec": {"disabled": false}}));
        when_all(&mut sessions, |session| {
            session.begin(&secret, &alice);
            session.check().is_ok()
        });
        let before = Instant::now();
        api.merge(&person, &json!({"spec": {"disabled": true}}));
        let refused = when_all(&mut sessions, |session| session.check().is_err_and(|code| code == "session_ended"));
        let last = refused
            .into_iter()
            .map(|(_, answered)| answered)
            .max()
            .unwrap_or_else(|| panic!("try {number} at no replica"));
        tries.push(last - before);
    }
    tries
}
