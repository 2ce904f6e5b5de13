//! The operator is killed at random moments of a first installation and of ordered rotations, and etcd while people work:
//! everything comes to the same end, with one signing key and never an empty key set.

use std::{thread, time::Duration};

use serde_json::Value;
use vouch_scenarios::kubernetes::{
    self, OPERATORS,
    load::Load,
    pod::Pod,
    site::{ISSUER, Site},
};

/// From one kill to the next. Not random numbers: what is hit differs with the machine's mood, in every run.
const MOMENTS: [u64; 6] = [0, 130, 310, 70, 530, 20];

/// Kills the program of every operator.
fn kill_operators(site: &Site<'_>) {
    let selector = "--selector=app.kubernetes.io/name=vouch-operator";
    let list = site.cluster().get(&["--namespace", OPERATORS, "pods", selector]).unwrap_or_default();
    for pod in Pod::of(&list) {
        // One that is being started again has no program to kill.
        let _ = site.cluster().try_tool(&format!("pod kill {OPERATORS}/{}", pod.name));
    }
}

fn active_keys(issuer: &Value) -> usize {
    issuer["status"]["keys"].as_array().map_or(0, |keys| keys.iter().filter(|key| key["state"] == "Active").count())
}

#[test]
fn an_operator_killed_at_any_moment_comes_to_the_same_end() {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::prepare(installation, "killed-operator");
    site.apply(&site.manifest());
    for moment in MOMENTS {
        thread::sleep(Duration::from_millis(moment));
        kill_operators(&site);
    }
    site.await_issuer();
    site.await_pods(3);
    let keys = site.published_keys();
    assert_eq!(active_keys(&site.issuer()), 1, "{:#}", site.issuer()["status"]);
    kill_operators(&site);
    site.await_condition("Ready", "True", "AsDeclared");
    assert_eq!(site.published_keys(), keys, "no key changes by accident");
    assert!(site.object("deployment", ISSUER).is_some());
}

#[test]
fn etcd_started_again_loses_no_request() {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::start(installation, "etcd");
    let keys = site.published_keys();
    let load = Load::begin(&site);
    site.cluster().tool("control stop etcd");
    site.cluster().tool("control start etcd");
    site.await_pods(3);
    thread::sleep(Duration::from_secs(5));
    load.end_without_loss();
    assert_eq!(site.published_keys(), keys);
}
