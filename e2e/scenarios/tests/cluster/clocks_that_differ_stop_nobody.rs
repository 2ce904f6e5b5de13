//! Clocks that are wrong: pods that disagree by minutes, and an operator that is an hour ahead of everybody else. People
//! sign in and get their credentials, sessions are good at every pod, and orders are carried out everywhere at once.

use std::{sync::Once, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use vouch_crds::names::user_object_name;
use vouch_scenarios::{
    guide::{self, HUB, developer_role},
    kubernetes::{
        self, Installation, Together,
        images::{Images, WITH_CLOCK},
        pod::Pod,
        session::Session,
        site::Site,
    },
    manifest::ISSUER_HOST,
    verifier,
    wait::{PATIENCE, until},
};

/// How far pods are from the true time, in seconds. AWS tolerates five minutes.
const OFFSETS: [i64; 3] = [-240, 0, 240];
/// The issuer dates tokens back by a minute.
const DATED_BACK: i64 = 90;
/// How far the operator, and whoever uses `kubectl vouch`, is ahead of everybody else then, in seconds.
const AHEAD: i64 = 3600;

/// The cluster, once its nodes have an image whose clock can be moved. To take it they need so much of the machine that
/// nobody else works meanwhile.
fn together_by_other_clocks() -> (&'static Installation, Together) {
    static LOADED: Once = Once::new();
    LOADED.call_once(|| {
        let (installation, _alone) = kubernetes::alone();
        installation.cluster.load(&Images::with_clock());
    });
    kubernetes::together()
}

/// An issuer whose pods believe what time they are told.
fn site<'a>(installation: &'a Installation, namespace: &str) -> Site<'a> {
    let site = Site::start_with(installation, namespace, |manifest| {
        manifest.issuer["spec"]["deployment"] = json!({"image": WITH_CLOCK});
        // Whether a clock has been moved is asked again and again.
        manifest.lift_rate_limits();
    });
    site.cloud.prepare(&guide::direct_role(HUB));
    site
}

/// Moves the clock of a pod, and waits until a token for alice shows it.
fn set_clock(site: &Site<'_>, pod: &Pod, seconds: i64) {
    site.cluster().tool(&format!("pod clock {}/{} {seconds:+}s", site.namespace(), pod.name));
    let person = site.object("vouchuser", &user_object_name("alice@example.com")).expect("alice's VouchUser");
    let mut session = Session::at(site, pod);
    session.set_clock(SignedDuration::from_secs(seconds));
    session.begin(&site.signing_keys(), &person);
    until("the pod's clock to be moved", PATIENCE, || {
        let expected = Timestamp::now().as_second() + seconds;
        // Refused while the clocks of the two are too far apart.
        let token = session.mint(&developer_role(HUB)).ok()?;
        (verifier::issued_at(&token) - expected).abs().le(&DATED_BACK).then_some(())
    });
}

fn credential(duration: i64) -> [String; 6] {
    ["credential", "aws", "--role", &developer_role(HUB), "--duration", &duration.to_string()].map(str::to_owned)
}

#[test]
fn pods_that_disagree_by_minutes_serve_one_another_s_people() {
    let (installation, _together) = together_by_other_clocks();
    let site = site(installation, "skewed-pods");
    let (_alice, key) = site.signed_in("alice");
    let pods = site.await_pods(3);
    for (pod, seconds) in pods.iter().zip(OFFSETS) {
        set_clock(&site, pod, seconds);
    }

    for (pod, seconds) in pods.iter().zip(OFFSETS) {
        site.cloud.standin.route(ISSUER_HOST, pod.public());
        let mut machine = site.developer(&format!("alice-at-{}", pod.name));
        machine.insert(&key);
        machine.login_for_the_first_time();
        let command = credential(2000 + seconds);
        let ran = machine.vouch(&command.each_ref().map(String::as_str));
        assert_eq!(ran.code, Some(0), "at a pod whose clock is at {seconds:+} s: {ran}");
    }
    let secret = site.signing_keys();
    let person = site.object("vouchuser", &user_object_name("alice@example.com")).expect("alice's VouchUser");
    for (pod, here) in pods.iter().zip(OFFSETS) {
        for there in OFFSETS {
            let mut session = Session::at(&site, pod);
            session.set_clock(SignedDuration::from_secs(there));
            session.begin(&secret, &person);
            session.set_clock(SignedDuration::from_secs(here));
            let answer = session.check();
            assert_eq!(answer, Ok(()), "a session begun at {there:+} s, at a pod at {here:+} s");
        }
    }
}

#[test]
fn an_operator_an_hour_ahead_gives_orders_that_hold_at_once() {
    let (installation, _together) = together_by_other_clocks();
    let site = site(installation, "fast-operator");
    let (alice, _key) = site.signed_in("alice");
    for pod in site.await_pods(3) {
        set_clock(&site, &pod, -AHEAD);
    }
    // AWS would take no token of theirs; everything else goes on.
    alice.login_again();
    let goes_on = |after: &str| {
        let ran = alice.vouch(&["keys", "list"]);
        assert_eq!(ran.code, Some(0), "after {after}: {ran}");
    };
    goes_on("a login");

    let _ = site.plugin(&["logout", "alice@example.com"]).succeeded();
    until("the session to end", Duration::from_secs(5), || (alice.vouch(&["status"]).code != Some(0)).then_some(()));
    alice.login();
    goes_on("a logout by a clock that is ahead");

    let issuer = site.issuer();
    let mut keys = issuer["status"]["keys"].as_array().unwrap().iter();
    let signing = keys.find(|key| key["state"] == "Active").and_then(|key| key["kid"].as_str()).expect("an active key");
    let _ = site.plugin(&["revoke-key", signing, "--now"]).succeeded();
    site.await_keys_of_secret();
    assert!(site.published_keys().iter().all(|kid| kid != signing), "a revoked key is published no more");
    alice.login_again();
    goes_on("the revocation of the signing key");
}
