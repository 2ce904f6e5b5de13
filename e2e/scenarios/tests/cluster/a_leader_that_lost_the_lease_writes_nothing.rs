//! Two operators, one lease: whoever loses it, because it stalls or because the network fails, writes nothing more,
//! although there is work that it would have done. The audit log of the API server says so.

use serde_json::json;
use vouch_scenarios::kubernetes::{self, LEASE, OPERATOR, OPERATORS, audit::Audit, holder, site::Site};

/// Lets the leader lose the lease by `losing`, gives the cluster work, lets it come back by `returning`, and looks at
/// what it wrote since another leads.
fn the_loser_writes_nothing(namespace: &str, losing: &str, returning: &str) {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::start(installation, namespace);
    let cluster = site.cluster();
    let loser = holder(&cluster.await_object("a leader", &LEASE, |lease| !holder(lease).is_empty())).to_owned();
    cluster.tool(&format!("pod {losing} {OPERATORS}/{loser}"));
    let winner = holder(&cluster.await_object("another leader", &LEASE, |lease| {
        let now = holder(lease);
        !now.is_empty() && now != loser
    }))
    .to_owned();
    let elected = cluster.audit().len();
    // Work for both: the loser has this object in memory as it was before.
    site.patch(&json!({"spec": {"deployment": {"annotations": {"example.com/led-by": winner}}}}));
    cluster.tool(&format!("pod {returning} {OPERATORS}/{loser}"));
    let deployment = ["--namespace", namespace, "deployment", "vouch"];
    cluster.await_object("the work to be done", &deployment, |deployment| {
        deployment["spec"]["template"]["metadata"]["annotations"]["example.com/led-by"] == winner.as_str()
    });
    let _ = site.kubectl(&["rollout", "status", "deployment/vouch", "--timeout=180s"]).succeeded();
    let restarted = format!("the loser {loser} to be ready again");
    cluster.await_object(&restarted, &["--namespace", OPERATORS, "pod", &loser], |pod| {
        kubernetes::pod::Pod::from(pod).ready
    });

    let audit = cluster.audit();
    let by_the_loser = taken_writes(&audit, elected, &loser);
    assert!(by_the_loser.is_empty(), "{loser} wrote after {winner} was elected:\n{}", by_the_loser.join("\n"));
    assert!(!taken_writes(&audit, elected, &winner).is_empty(), "{winner} did the work");
}

fn taken_writes(audit: &Audit, mark: usize, pod: &str) -> Vec<String> {
    let writes = audit.writes_since(mark, OPERATOR).into_iter();
    writes.filter(|entry| entry.pod() == pod && entry.was_taken()).map(ToString::to_string).collect()
}

#[test]
fn after_it_stalled() {
    the_loser_writes_nothing("stalled-leader", "pause", "resume");
}

#[test]
fn after_the_network_failed() {
    the_loser_writes_nothing("partitioned-leader", "cut", "join");
}
