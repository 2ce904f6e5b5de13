//! An object that is as declared costs no write, however often somebody looks at it: the audit log of the API server
//! says so.

use std::{thread, time::Duration};

use vouch_crds::names::{condition, user_object_name};
use vouch_scenarios::kubernetes::{
    self, LEASE, OPERATOR, OPERATORS, holder,
    pod::Pod,
    site::{Site, condition_of},
};

const PROGRAMS: &str = "--selector=app.kubernetes.io/name=vouch-operator";
/// A new leader goes over every object when it begins, which takes it a second or two.
const QUIET: Duration = Duration::from_secs(20);

#[test]
fn an_unchanged_issuer_is_never_written() {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::start(installation, "unchanged");
    let (alice, _key) = site.signed_in("alice");
    site.await_pods(3);
    let cluster = site.cluster();
    let person = user_object_name("alice@example.com");
    let person = ["--namespace", site.namespace(), "vouchuser", &person];
    cluster.await_object("alice to be judged", &person, |person| condition_of(person, condition::READY).is_some());
    cluster.await_object("a leader", &LEASE, |lease| !holder(lease).is_empty());
    let before = Pod::of(&cluster.get(&["--namespace", OPERATORS, "pods", PROGRAMS]).expect("operators"));
    let mark = cluster.audit().len();
    let _ = cluster.kubectl(&["delete", "pods", "--namespace", OPERATORS, PROGRAMS, "--wait"]).succeeded();
    let rollout = ["rollout", "status", "--namespace", OPERATORS, "deployment/vouch-operator", "--timeout=120s"];
    let _ = cluster.kubectl(&rollout).succeeded();
    cluster.await_object("a new leader", &LEASE, |lease| {
        let leader = holder(lease);
        !leader.is_empty() && before.iter().all(|pod| pod.name != leader)
    });
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
