//! Somebody deletes, empties or damages the Secret with the signing keys: it is said, pods go on with the keys they have,
//! and nothing makes new ones until somebody orders it. A backup puts everything right.

use serde_json::{Value, json};
use vouch_crds::names::{annotation, condition, signing_keys};
use vouch_scenarios::{
    guide::{self, HUB, developer_role},
    kubernetes::{
        self,
        site::{ISSUER, Site},
    },
};

/// The Secret without what an API server adds: what a backup keeps.
fn backup(site: &Site<'_>) -> Value {
    let mut secret = site.signing_keys();
    let metadata = secret["metadata"].as_object_mut().unwrap();
    metadata.retain(|name, _| ["name", "namespace", "labels", "annotations"].contains(&name.as_str()));
    secret
}

#[test]
fn lost_signing_keys_are_reported_and_never_replaced() {
    let (installation, _together) = kubernetes::together();
    let site = Site::start(installation, "lost-keys");
    site.cloud.prepare(&guide::direct_role(HUB));
    let (alice, _key) = site.signed_in("alice");
    let published = site.published_keys();
    let backup = backup(&site);
    let secret = signing_keys::name(ISSUER);
    let corrupt = |text: &str| {
        let patch = json!({"stringData": {signing_keys::DATA_KEY: text}}).to_string();
        let _ = site.kubectl(&["patch", "secret", &secret, "--type=merge", "--patch", &patch]).succeeded();
    };
    let restore = || {
        let _ = site.kubectl(&["delete", "secret", &secret, "--ignore-not-found"]).succeeded();
        site.cluster().apply(&backup.to_string());
        site.await_condition(condition::READY, "True", "AsDeclared");
    };
    let faults: [(&str, &dyn Fn()); 4] = [
        ("KeySecretMissing", &|| drop(site.kubectl(&["delete", "secret", &secret]).succeeded())),
        ("KeySecretCorrupt", &|| corrupt("")),
        ("KeySecretCorrupt", &|| corrupt("{\"keys\": []}")),
        ("KeySecretCorrupt", &|| corrupt("not a document")),
    ];
    let mut duration = 900;
    for (reason, damage) in faults {
        damage();
        let message = site.await_condition(condition::KEYS_READY, "False", reason);
        assert!(message.contains(annotation::RECREATE_KEYS), "it says what to do: {message}");
        site.await_condition(condition::READY, "False", reason);
        assert_eq!(site.published_keys(), published, "after {reason}");
        duration += 1;
        let credential = ["credential", "aws", "--role", &developer_role(HUB), "--duration", &duration.to_string()];
        let _ = alice.vouch(&credential).succeeded();
        // It is told after the condition.
        let told = ["--namespace", site.namespace(), "events", "--field-selector", &format!("reason={reason}")];
        site.cluster().await_object(&format!("an event {reason}"), &told, |events| {
            events["items"].as_array().is_some_and(|events| !events.is_empty())
        });
        restore();
        assert_eq!(site.published_keys(), published, "after the backup was restored");
    }

    let _ = site.kubectl(&["delete", "secret", &secret]).succeeded();
    site.await_condition(condition::KEYS_READY, "False", "KeySecretMissing");
    let given_up = site.issuer()["status"]["keysInitializedAt"].as_str().unwrap().to_owned();
    site.annotate(annotation::RECREATE_KEYS, &given_up);
    site.await_condition(condition::READY, "True", "AsDeclared");
    site.await_keys_of_secret();
    assert!(site.published_keys().iter().all(|kid| !published.contains(kid)), "an order makes new keys");
    alice.login_again();
    let _ = alice.vouch(&["credential", "aws", "--role", &developer_role(HUB), "--duration", "1000"]).succeeded();
}
