//! Upgrade, rollback and uninstall of the chart: definitions, issuers, people and keys stay, pods of issuers serve
//! throughout, and the chart that is installed again takes them over as they are.

use vouch_crds::names::condition;
use vouch_scenarios::{
    guide::{self, HUB, developer_role},
    kubernetes::{self, OPERATORS, site::Site},
};

#[test]
fn an_upgrade_and_an_uninstall_keep_what_people_have_made() {
    let (installation, _alone) = kubernetes::alone();
    let release = &installation.release;
    let site = Site::start(installation, "kept");
    site.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = site.signed_in("alice");
    let keys = site.published_keys();
    let pods = site.await_pods(3);
    let mut duration = 900;
    let mut goes_on = |after: &str| {
        duration += 1;
        let credential = ["credential", "aws", "--role", &developer_role(HUB), "--duration", &duration.to_string()];
        let ran = alice.vouch(&credential);
        assert_eq!(ran.code, Some(0), "after {after}: {ran}");
        assert_eq!(site.published_keys(), keys, "after {after}");
        alice.login_again();
    };

    let revision = release.revision();
    let root = format!("--from-literal=ca.crt={}", site.issuers_root());
    let secret = ["create", "secret", "generic", "issuers-root", "--namespace", OPERATORS, &root];
    let _ = site.cluster().kubectl(&secret).succeeded();
    release.upgrade(&[
        "--set=scope=Cluster,replicas=3,operator.log=debug",
        "--set=test.url=https://vouch.example.com,test.connectTo=vouch.kept.svc:443,test.caSecretName=issuers-root",
    ]);
    goes_on("the upgrade");
    let _ = release.test().succeeded();
    release.roll_back(revision);
    goes_on("the rollback");
    release.uninstall();
    goes_on("the uninstallation");
    for definition in ["vouchissuers", "vouchusers", "awsfederations", "oidcclients"] {
        assert!(site.cluster().get(&["crd", &format!("{definition}.vouch.sh")]).is_some(), "{definition}");
    }
    assert!(site.object("vouchissuer", "vouch").is_some());
    release.install(&["--set=scope=Cluster"]);
    site.await_condition(condition::READY, "True", "AsDeclared");
    goes_on("the second installation");
    let names = |pods: &[kubernetes::pod::Pod]| {
        let mut names: Vec<_> = pods.iter().map(|pod| pod.name.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&site.await_pods(3)), names(&pods), "no pod of the issuer was replaced");
}
