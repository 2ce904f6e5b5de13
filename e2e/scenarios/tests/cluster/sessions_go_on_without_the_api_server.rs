//! Two minutes without the API server: sessions go on minting, who wants to sign in reads why that is not possible, and
//! nothing is lost.

use std::{
    thread,
    time::{Duration, Instant},
};

use vouch_scenarios::{
    developer::{unlock, unlock_unless_it_ends},
    guide::{self, HUB, developer_role},
    kubernetes::{self, cluster, site::Site},
    wait::{PATIENCE, until},
};

const OUTAGE: Duration = Duration::from_secs(120);
/// As many credentials at least are given in it; on a slow machine it lasts longer.
const MINTED: usize = 100;
/// Between two credentials; the issuer gives a person five a second, and more only for a while.
const PACE: Duration = Duration::from_millis(250);

/// Waits until every part of Kubernetes that was away from the API server for so long works with it again. The controllers
/// hold nodes for lost until they have heard of them, and their pods for not ready: that passes, and is not what is looked at.
fn await_everybodys_return(site: &Site<'_>) {
    let cluster = site.cluster();
    until("the API server", cluster::PATIENCE, || {
        cluster.kubectl(&["get", "--raw=/readyz"]).code.filter(|code| *code == 0)
    });
    let returned = format!("returned-{}", site.namespace());
    let _ = cluster.kubectl(&["create", "namespace", &returned]).succeeded();
    cluster.await_object("the controllers", &["--namespace", &returned, "serviceaccount", "default"], |account| {
        !account.is_null()
    });
    let _ = cluster.kubectl(&["delete", "namespace", &returned]).succeeded();
    let ready = ["wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s"];
    let _ = cluster.kubectl(&ready).succeeded();
    site.await_pods(3);
}

#[test]
fn sessions_go_on_without_the_api_server() {
    let (installation, _alone) = kubernetes::alone();
    let site = Site::start(installation, "outage");
    site.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _alices_key) = site.signed_in("alice");
    let (bob, _bobs_key) = site.signed_in("bob");
    let keys = site.published_keys();

    site.cluster().tool("control stop kube-apiserver");
    let began = Instant::now();
    let mut minted = 0;
    while began.elapsed() < OUTAGE || minted < MINTED {
        let duration = (900 + minted).to_string();
        let credential = ["credential", "aws", "--role", &developer_role(HUB), "--duration", &duration];
        let _ = alice.vouch(&credential).succeeded();
        minted += 1;
        thread::sleep(PACE);
        if minted % 40 == 1 {
            let mut terminal = bob.vouch_at_terminal(&["login", "--force"]);
            unlock(&mut terminal);
            let refused = terminal.finish();
            assert!(!refused.status.success(), "nobody signs in: {}", refused.text);
            assert!(refused.text.contains("Sessions that have begun go on"), "{}", refused.text);
        }
    }
    assert!(began.elapsed() < 3 * OUTAGE, "{minted} credentials took {:?}", began.elapsed());
    site.cluster().tool("control start kube-apiserver");

    await_everybodys_return(&site);
    assert_eq!(site.published_keys(), keys);
    until("bob to be able to sign in", PATIENCE, || {
        let mut terminal = bob.vouch_at_terminal(&["login", "--force"]);
        let _ = unlock_unless_it_ends(&mut terminal);
        terminal.finish().status.success().then_some(())
    });
    alice.login_again();
    let (carol, _carols_key) = site.signed_in("carol");
    let _ = carol.vouch(&["credential", "aws", "--role", &developer_role(HUB)]).succeeded();
}
