//! Whatever happens to one pod or one node: under steady load no request fails after one retry, no enrollment is lost,
//! and no key changes.

use serde_json::json;
use vouch_scenarios::{
    kubernetes::{
        self,
        load::{Kind, Load},
        pod::Pod,
        site::{ISSUER, Site},
    },
    manifest::ISSUER_HOST,
};

const REPLICAS: usize = 3;
/// What a Service leads to a lost pod until Kubernetes has noticed; whoever asks for credentials finds another by themselves.
const BY_ANY_WAY: [Kind; 2] = [Kind::Logins, Kind::KeySets];

/// Lets something happen under load, to a pod if to any to the one that everybody's connection leads to, and sees that
/// nothing comes of it.
fn nothing_comes_of(namespace: &str, happening: impl FnOnce(&Site<'_>, Pod, &Load)) {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::start(installation, namespace);
    let keys = site.published_keys();
    let victim = victim(&site);
    site.cloud.standin.route(ISSUER_HOST, victim.public());
    let load = Load::begin(&site);
    site.cloud.standin.route(ISSUER_HOST, site.service());
    happening(&site, victim, &load);
    load.end_without_loss();
    assert_eq!(site.published_keys(), keys, "no key changes by accident");
    let people = site.kubectl(&["get", "vouchusers", "--output=jsonpath={.items[*].status.keyCount}"]).succeeded();
    assert_eq!(people.stdout, "1 1", "alice and bob have their keys");
}

/// A pod, and not on the node through which this machine reaches the cluster.
fn victim(site: &Site<'_>) -> Pod {
    let pods = site.await_pods(REPLICAS);
    pods.into_iter().find(|pod| pod.node != "node1").expect("the pods are spread over the nodes")
}

/// Waits until Kubernetes has noticed that a pod was lost.
fn await_loss(site: &Site<'_>, lost: &Pod) {
    site.await_pods_that(&format!("{} to be missed", lost.name), |pods| {
        pods.iter().all(|pod| pod.name != lost.name || !pod.ready || pod.restarts > lost.restarts)
    });
}

/// Waits until Kubernetes lets a pod be evicted: it hears later than others that the one before has been replaced.
fn await_disruptions_allowed(site: &Site<'_>) {
    let budget = ["--namespace", site.namespace(), "poddisruptionbudget", ISSUER];
    site.cluster().await_object("an eviction to be allowed", &budget, |budget| {
        budget["status"]["disruptionsAllowed"].as_u64() >= Some(1)
    });
}

/// Waits until every pod serves, and none of them on that node.
fn await_pods_elsewhere(site: &Site<'_>, node: &str) {
    site.await_pods_that(&format!("{REPLICAS} ready pods and none on {node}"), |pods| {
        pods.len() == REPLICAS && pods.iter().all(|pod| pod.ready && pod.node != node)
    });
}

#[test]
fn every_pod_is_killed() {
    nothing_comes_of("killed", |site, _, load| {
        for pod in site.await_pods(REPLICAS) {
            load.broken_for(&BY_ANY_WAY, || {
                site.cluster().tool(&format!("pod kill {}/{}", site.namespace(), pod.name));
                await_loss(site, &pod);
            });
            site.await_pods_that(&format!("{} to serve again", pod.name), |pods| {
                pods.iter().any(|now| now.name == pod.name && now.restarts > pod.restarts && now.ready)
            });
            load.settle();
        }
    });
}

#[test]
fn every_pod_is_evicted() {
    nothing_comes_of("evicted", |site, _, _| {
        for pod in site.await_pods(REPLICAS) {
            let eviction = json!({
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": pod.name, "namespace": site.namespace()},
            });
            await_disruptions_allowed(site);
            let path = format!("/api/v1/namespaces/{}/pods/{}/eviction", site.namespace(), pod.name);
            let _ = site.cluster().kubectl_with(&["create", "--raw", &path], &eviction.to_string()).succeeded();
            site.await_pods(REPLICAS);
        }
    });
}

#[test]
fn every_pod_is_replaced_by_a_rolling_update() {
    nothing_comes_of("rolled", |site, _, _| {
        let before = site.await_pods(REPLICAS);
        site.patch(&json!({"spec": {"deployment": {"annotations": {"example.com/generation": "2"}}}}));
        site.await_pods_that("three ready pods of the next generation", |pods| {
            let is_new = |pod: &Pod| before.iter().all(|old| old.name != pod.name);
            pods.len() == REPLICAS && pods.iter().all(|pod| pod.ready && is_new(pod))
        });
    });
}

#[test]
fn a_node_is_drained() {
    nothing_comes_of("drained", |site, Pod { node, .. }, _| {
        let drain = ["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=180s"];
        let _ = site.cluster().kubectl(&drain).succeeded();
        await_pods_elsewhere(site, &node);
        let _ = site.cluster().kubectl(&["uncordon", &node]).succeeded();
    });
}

#[test]
fn a_node_loses_power() {
    nothing_comes_of("powerless", |site, lost, load| {
        let number = lost.node.trim_start_matches("node");
        load.broken_for(&BY_ANY_WAY, || {
            site.cluster().tool(&format!("node stop {number}"));
            await_loss(site, &lost);
        });
        await_pods_elsewhere(site, &lost.node);
        site.cluster().tool(&format!("node start {number}"));
        let ready = ["wait", "--for=condition=Ready", &format!("node/{}", lost.node), "--timeout=120s"];
        let _ = site.cluster().kubectl(&ready).succeeded();
    });
}

#[test]
fn a_node_is_cut_off_while_its_pods_run_on() {
    nothing_comes_of("cut-off", |site, lost, load| {
        let number = lost.node.trim_start_matches("node");
        load.broken_for(&BY_ANY_WAY, || {
            site.cluster().tool(&format!("node cut {number}"));
            await_loss(site, &lost);
        });
        await_pods_elsewhere(site, &lost.node);
        site.cluster().tool(&format!("node join {number}"));
        let ready = ["wait", "--for=condition=Ready", &format!("node/{}", lost.node), "--timeout=120s"];
        let _ = site.cluster().kubectl(&ready).succeeded();
    });
}
