//! Upgrade from the previous chart, rollback, uninstall and installation anew, under load: definitions, issuers, people and
//! keys stay, and no request is lost while programs of one version take over from those of another.

use vouch_crds::names::condition;
use vouch_scenarios::{
    guide::{HUB, developer_role},
    kubernetes::{
        self, OPERATORS,
        helm::Chart,
        images::Images,
        load::Load,
        site::{ISSUER, Site},
    },
};

const PREVIOUS: &str = "0.0.9";
const PRESENT: &str = env!("CARGO_PKG_VERSION");
/// What the previous chart called a `VouchIssuer` for short.
const PREVIOUS_SHORT_NAME: &str = "vissuer";
const OPTIONS: [&str; 1] = ["--set=scope=Cluster"];

/// Waits until every pod is of a version's image, and until the API server knows what that version's definitions say.
fn await_version(site: &Site<'_>, version: &str) {
    let image = format!("vouch-issuer:{version}");
    let deployment = ["--namespace", site.namespace(), "deployment", ISSUER];
    site.cluster().await_object(&format!("pods of {image}"), &deployment, |deployment| {
        let (declared, status) = (&deployment["spec"], &deployment["status"]);
        declared["template"]["spec"]["containers"][0]["image"] == image.as_str()
            && status["observedGeneration"] == deployment["metadata"]["generation"]
            && ["replicas", "updatedReplicas", "availableReplicas"].iter().all(|count| status[count] == 3)
    });
    site.await_condition(condition::READY, "True", "AsDeclared");
    let definition = site.cluster().get(&["crd", "vouchissuers.vouch.sh"]).expect("the definition");
    let short = if version == PREVIOUS { PREVIOUS_SHORT_NAME } else { "vi" };
    assert_eq!(definition["spec"]["names"]["shortNames"][0], short, "the definitions are those of {version}");
}

#[test]
fn an_upgrade_and_an_uninstall_keep_what_people_have_made() {
    let (installation, _alone) = kubernetes::alone();
    let (cluster, release) = (&installation.cluster, &installation.release);
    cluster.load(&Images::tagged(PREVIOUS));
    let definition = "templates/crds/vouchissuers.vouch.sh.yaml";
    let previous = Chart::earlier(PREVIOUS, &[(definition, "- vi\n", &format!("- {PREVIOUS_SHORT_NAME}\n"))]);
    release.uninstall();
    release.install(&previous, &OPTIONS);
    let site = Site::start(installation, "kept");
    await_version(&site, PREVIOUS);
    let keys = site.published_keys();
    let load = Load::begin(&site);

    let root = format!("--from-literal=ca.crt={}", site.issuers_root());
    let _ = cluster.kubectl(&["create", "secret", "generic", "root", "--namespace", OPERATORS, &root]).succeeded();
    let before = release.revision();
    let test = "--set=test.url=https://vouch.example.com,test.connectTo=vouch.kept.svc:443,test.caSecretName=root";
    release.upgrade(&Chart::present(), &[OPTIONS[0], test]);
    await_version(&site, PRESENT);
    let _ = release.test().succeeded();
    release.roll_back(before);
    await_version(&site, PREVIOUS);
    release.uninstall();
    for definition in ["vouchissuers", "vouchusers", "awsfederations", "oidcclients"] {
        let kept = cluster.get(&["crd", &format!("{definition}.vouch.sh")]).expect(definition);
        assert!(kept["metadata"]["deletionTimestamp"].is_null(), "{definition} is on its way out");
    }
    assert!(site.object("vouchissuer", ISSUER).is_some());
    assert_eq!(site.await_pods(3).len(), 3, "pods serve on without an operator");
    release.install(&Chart::present(), &OPTIONS);
    await_version(&site, PRESENT);

    load.end_without_loss();
    assert_eq!(site.published_keys(), keys, "no key changes by accident");
    let people = site.kubectl(&["get", "vouchusers", "--output=jsonpath={.items[*].status.keyCount}"]).succeeded();
    assert_eq!(people.stdout, "1 1", "alice and bob have their keys");
    let (carol, _key) = site.signed_in("carol");
    let _ = carol.vouch(&["credential", "aws", "--role", &developer_role(HUB)]).succeeded();
}
