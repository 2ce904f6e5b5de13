//! Two minutes without the API server: sessions go on minting, who wants to sign in reads why that is not possible, and
//! nothing is lost.

use std::{
    thread,
    time::{Duration, Instant},
};

use vouch_scenarios::{
    developer::unlock,
    guide::{self, HUB, developer_role},
    kubernetes::{self, site::Site},
    wait::{PATIENCE, until},
};

const OUTAGE: Duration = Duration::from_secs(120);
/// Between two credentials; the issuer gives a person five a second, and more only for a while.
const PACE: Duration = Duration::from_millis(250);

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
    while began.elapsed() < OUTAGE {
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
    site.cluster().tool("control start kube-apiserver");
    assert!(minted > 100, "only {minted} credentials in {OUTAGE:?}");

    site.await_pods(3);
    assert_eq!(site.published_keys(), keys);
    until("bob to be able to sign in", PATIENCE, || {
        let mut terminal = bob.vouch_at_terminal(&["login", "--force"]);
        unlock(&mut terminal);
        terminal.finish().status.success().then_some(())
    });
    alice.login_again();
    let (carol, _carols_key) = site.signed_in("carol");
    let _ = carol.vouch(&["credential", "aws", "--role", &developer_role(HUB)]).succeeded();
}
