//! The operator is killed at many moments of a first installation and of orders that change the signing key at once, and
//! etcd while people work: everything comes to the same end, with one signing key, every order carried out once, and never
//! an empty key set.

use std::{
    collections::BTreeSet,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;
use vouch_crds::names::annotation;
use vouch_scenarios::{
    kubernetes::{
        self, LEASE, OPERATORS, cluster, holder,
        load::{Kind, Load},
        pod::Pod,
        session::{Session, key_ids_of},
        site::{ISSUER, Site},
    },
    verifier,
    wait::until,
};

/// From one kill to the next. Not random numbers: what is hit differs with the machine's mood, in every run.
const MOMENTS: [u64; 6] = [0, 130, 310, 70, 530, 20];
/// How many of them an order has.
const KILLS: usize = 3;
const OF_OPERATORS: &str = "--selector=app.kubernetes.io/name=vouch-operator";
/// Between two looks at the key sets.
const PAUSE: Duration = Duration::from_millis(10);

fn operators(site: &Site<'_>) -> Vec<Pod> {
    Pod::of(&site.cluster().get(&["--namespace", OPERATORS, "pods", OF_OPERATORS]).unwrap_or_default())
}

/// Replaces every operator by one that was never killed: a kubelet waits longer with every kill before it starts a program
/// again, up to minutes.
fn renew_operators(site: &Site<'_>) {
    let _ = site.cluster().kubectl(&["delete", "pods", "--namespace", OPERATORS, OF_OPERATORS]).succeeded();
    site.cluster().await_object("one of the new operators to act", &LEASE, |lease| {
        operators(site).iter().any(|operator| operator.ready && operator.name == holder(lease))
    });
}

/// Kills the program of every operator.
fn kill_operators(site: &Site<'_>) {
    for pod in operators(site) {
        // One that is being started again has no program to kill.
        let _ = site.cluster().try_tool(&format!("pod kill {OPERATORS}/{}", pod.name));
    }
}

/// The ids of the keys in a state.
fn keys_that_are<'a>(issuer: &'a Value, state: &str) -> Vec<&'a str> {
    let keys = issuer["status"]["keys"].as_array().into_iter().flatten();
    keys.filter(|key| key["state"] == state).map(|key| key["kid"].as_str().unwrap()).collect()
}

/// The one key in a state.
fn the_key_that_is<'a>(issuer: &'a Value, state: &str) -> &'a str {
    match keys_that_are(issuer, state).as_slice() {
        [one] => one,
        keys => panic!("{} keys are {state}: {:#}", keys.len(), issuer["status"]),
    }
}

/// A verifier that reads the key set of every pod all the time, until what is returned first is dropped. It returns how
/// often it did.
fn verifier_of(pods: Vec<Session>) -> (Sender<()>, JoinHandle<usize>) {
    let (work, told) = mpsc::channel();
    let reads = thread::spawn(move || {
        let mut reads = 0;
        while told.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
            for pod in &pods {
                let keys = pod.key_set();
                assert!(!verifier::key_ids(&keys).is_empty(), "an empty key set: {keys}");
                reads += 1;
            }
        }
        reads
    });
    (work, reads)
}

/// Orders another key to sign at once, with the operator killed again and again, and waits until that is so.
fn replace_the_signing_key(site: &Site<'_>, moments: &[u64]) {
    let before = site.issuer();
    let (old, new) = (the_key_that_is(&before, "Active"), the_key_that_is(&before, "Next"));
    let order = format!("{old},now");
    site.annotate(annotation::REVOKE_KEY, &order);
    for moment in moments {
        thread::sleep(Duration::from_millis(*moment));
        kill_operators(site);
    }
    let what = ["--namespace", site.namespace(), "vouchissuer", ISSUER];
    let after = site.cluster().await_object("the order to be carried out", &what, |issuer| {
        issuer["status"]["handledOrders"][annotation::REVOKE_KEY] == order.as_str()
    });
    assert_eq!(the_key_that_is(&after, "Active"), new, "the order was carried out once");
    let next = the_key_that_is(&after, "Next");
    assert!(![old, new].contains(&next), "{next}");
    let wanted = BTreeSet::from([new.to_owned(), next.to_owned()]);
    assert_eq!(key_ids_of(&site.signing_keys()), wanted);
    site.await_keys_of_secret();
}

#[test]
fn an_operator_killed_at_any_moment_comes_to_the_same_end() {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::prepare(installation, "killed-operator");
    renew_operators(&site);
    site.apply(&site.manifest());
    for moment in MOMENTS {
        thread::sleep(Duration::from_millis(moment));
        kill_operators(&site);
    }
    site.await_issuer();
    site.await_pods(3);
    let keys = site.published_keys();
    assert!(keys.contains(&the_key_that_is(&site.issuer(), "Active").to_owned()), "{keys:?}");
    kill_operators(&site);
    site.await_condition("Ready", "True", "AsDeclared");
    assert_eq!(site.published_keys(), keys, "no key changes by accident");
    assert!(site.object("deployment", ISSUER).is_some());
}

#[test]
fn an_order_is_carried_out_once_however_often_the_operator_is_killed() {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::start(installation, "killed-orders");
    let (work, reads) = verifier_of(site.await_pods(3).iter().map(|pod| Session::at(&site, pod)).collect());
    for moments in MOMENTS.chunks(KILLS) {
        renew_operators(&site);
        replace_the_signing_key(&site, moments);
    }
    drop(work);
    let reads = reads.join().expect("a verifier always finds keys");
    eprintln!("{reads} key sets, none of them empty");
    let issuer = site.issuer();
    assert_eq!(keys_that_are(&issuer, "Revoked").len(), MOMENTS.len() / KILLS, "{:#}", issuer["status"]);
    site.await_condition("Ready", "True", "AsDeclared");
}

#[test]
fn etcd_started_again_loses_no_request() {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::start(installation, "etcd");
    let keys = site.published_keys();
    let load = Load::begin(&site);
    load.broken_for(&[Kind::Logins], || {
        site.cluster().tool("control stop etcd");
        site.cluster().tool("control start etcd");
        until("the API server to write again", cluster::PATIENCE, || {
            let written = site.kubectl(&["annotate", "vouchissuer", ISSUER, "example.com/etcd=started", "--overwrite"]);
            (written.code == Some(0)).then_some(())
        });
    });
    site.await_pods(3);
    load.settle();
    load.end_without_loss();
    assert_eq!(site.published_keys(), keys);
}
