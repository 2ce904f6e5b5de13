//! Alice works at three machines, each of which reaches another pod. When she is disabled, each of them is refused within
//! a second, again and again.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use vouch_scenarios::{
    guide::{self, HUB, developer_role},
    kubernetes::{self, site::Site},
    manifest::ISSUER_HOST,
    standin::StandIn,
};

const ROUNDS: usize = 5;
const BOUND: Duration = Duration::from_secs(1);

#[test]
fn every_replica_refuses_a_disabled_person_within_a_second() {
    let (installation, _together) = kubernetes::together();
    let site = Site::start(installation, "disabled");
    site.cloud.prepare(&guide::direct_role(HUB));
    let (alice, key) = site.signed_in("alice");
    let roots = site.folder().join("issuer-ca.pem");
    let machines: Vec<_> = site
        .await_pods(3)
        .iter()
        .map(|pod| {
            let folder = site.folder().join(&pod.name);
            std::fs::create_dir_all(&folder).unwrap();
            let way = StandIn::start(&folder, &roots);
            way.route(ISSUER_HOST, pod.public());
            let mut machine = site.developer(&format!("alice-at-{}", pod.name));
            machine.set("HTTPS_PROXY", way.proxy());
            machine.insert(&key);
            machine.login_for_the_first_time();
            (machine, way)
        })
        .collect();
    let session = |machine: &vouch_scenarios::developer::Developer| {
        machine.vouch_command(&["keys", "list"]).stdin(Stdio::null()).output().unwrap()
    };

    for round in 1..=ROUNDS {
        for (machine, _) in &machines {
            assert!(session(machine).status.success(), "round {round}");
        }
        let _ = site.plugin(&["disable", "alice@example.com"]).succeeded();
        let disabled = Instant::now();
        let answers: Vec<_> = std::thread::scope(|scope| {
            let ask = |machine| {
                scope.spawn(move || {
                    loop {
                        if !session(machine).status.success() {
                            return disabled.elapsed();
                        }
                    }
                })
            };
            let asking: Vec<_> = machines.iter().map(|(machine, _)| ask(machine)).collect();
            asking.into_iter().map(|machine| machine.join().unwrap()).collect()
        });
        assert!(answers.iter().all(|elapsed| *elapsed < BOUND), "round {round}: {answers:?}");
        let refused = alice.vouch(&["credential", "aws", "--role", &developer_role(HUB)]);
        let _ = refused.failed(2, "you are not signed in");

        let _ = site.plugin(&["enable", "alice@example.com"]).succeeded();
        alice.login();
        machines.iter().for_each(|(machine, _)| drop(machine.login()));
    }
}
