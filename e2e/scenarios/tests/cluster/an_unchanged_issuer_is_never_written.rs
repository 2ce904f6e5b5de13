//! An object that is as declared costs no write, however often somebody looks at it: the audit log of the API server
//! says so.

use std::{thread, time::Duration};

use vouch_scenarios::kubernetes::{self, OPERATOR, OPERATORS, site::Site};

/// Two operators in turn go over every object, and the second one is given the time to do it twice.
const QUIET: Duration = Duration::from_secs(20);

#[test]
fn an_unchanged_issuer_is_never_written() {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::start(installation, "unchanged");
    let (alice, _key) = site.signed_in("alice");
    site.await_pods(3);
    let cluster = site.cluster();
    let pods =
        ["delete", "pods", "--namespace", OPERATORS, "--selector=app.kubernetes.io/name=vouch-operator", "--wait"];
    let mark = cluster.audit().len();
    let _ = cluster.kubectl(&pods).succeeded();
    let rollout = ["rollout", "status", "--namespace", OPERATORS, "deployment/vouch-operator", "--timeout=120s"];
    let _ = cluster.kubectl(&rollout).succeeded();
    let lease = ["--namespace", OPERATORS, "lease", "vouch-operator"];
    let names = |list: &serde_json::Value| list["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned();
    cluster.await_object("a new leader", &lease, |lease| !names(lease).is_empty());
    thread::sleep(QUIET);
    let _ = alice.vouch(&["status"]).succeeded();

    let audit = cluster.audit();
    let by_operators = audit.writes_since(mark, OPERATOR);
    assert!(by_operators.iter().any(|entry| entry.resource() == "leases"), "somebody has been elected");
    // Namespaces of other scenarios may be on their way out, where the operator has something to do.
    let writes: Vec<_> = by_operators.into_iter().filter(|entry| entry.namespace() == site.namespace()).collect();
    assert!(writes.is_empty(), "{}", kubernetes::audit::lines(&writes));
    let writes = audit.writes_since(mark, &format!("system:serviceaccount:{}:", site.namespace()));
    assert!(writes.is_empty(), "{}", kubernetes::audit::lines(&writes));
}
