#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use vouch_keyring::{ChangeContext, KeySet, Kid, LeadRule, SystemKeyGenerator};

use super::{Configuration, RootSecret, SigningKeys};
use crate::{
    config::Config,
    identity::{invite::InviteCode, secrets::Secrets},
    keys::{KeyService, KeyStoreFault},
    testing::{api_server::ApiServer, issuer::TestIssuer},
};

const URL: &str = "https://vouch.example.com";
const KEYS: &str = "/api/v1/namespaces/vouch/secrets/vouch-signing-keys";
const ROOT: &str = "/api/v1/namespaces/vouch/secrets/vouch-root-secret";
const ISSUER: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchissuers/vouch";
const FEDERATION: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/awsfederations/work";

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn secret(member: &str, bytes: &[u8], url: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": {"vouch.sh/issuer-url": url}},
        "data": {member: STANDARD.encode(bytes)}})
}

fn put_keys(server: &ApiServer, set: &KeySet, url: &str) {
    server.put(KEYS, secret("keys.json", set.to_json().unwrap().as_bytes(), url));
}

fn issuer(lifetime: &str) -> Value {
    json!({"apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer", "metadata": {},
        "spec": {"url": URL, "organization": {"name": "Example", "emailDomains": ["example.com"]},
            "session": {"lifetime": lifetime}, "store": {"kind": "Kubernetes"}}})
}

fn federation(account: &str, issuer: &str) -> Value {
    json!({"apiVersion": "vouch.sh/v1alpha1", "kind": "AwsFederation", "metadata": {},
        "spec": {"issuerRef": {"name": issuer}, "account": account,
            "roles": [{"name": "Developer", "allow": {"domains": ["example.com"]}}]}})
}

async fn config() -> Config {
    Config::clone(&TestIssuer::new().await.issuer.config.load())
}

#[tokio::test]
async fn keys_are_followed_and_the_last_good_ones_stay_in_use() {
    let server = ApiServer::default();
    let (policy, now) = (config().await.key_policy, "2026-11-21T09:00:00Z".parse().unwrap());
    let context = ChangeContext { policy: &policy, generator: &SystemKeyGenerator, now };
    let (mut set, _) = KeySet::initialize(&context).unwrap();
    let keys = Arc::new(SigningKeys::follow(&server.cluster(), "vouch", URL));
    let begin = async || KeyService::follow(Arc::<SigningKeys>::clone(&keys), policy.clone(), now).await;
    until("the absence is told", async || begin().await.is_err_and(|fault| fault.to_string().contains("restored")))
        .await;
    put_keys(&server, &set, "https://other.example.com");
    until("foreign keys are refused", async || {
        begin().await.is_err_and(|f| f.to_string().contains("other.example.com"))
    })
    .await;
    put_keys(&server, &set, URL);
    until("the keys are there", async || begin().await.is_ok()).await;
    let service = begin().await.unwrap();
    let jwks = service.snapshot().jwks.body().clone();
    assert_eq!(*jwks, *set.jwks().body().as_bytes());

    server.calls();
    let much_later = "2028-11-21T09:00:00Z".parse().unwrap();
    assert!(service.refresh(much_later).await.unwrap().is_empty(), "rotation is the operator's");
    server.delete(KEYS);
    until("the loss is noticed", async || service.refresh(now).await.is_err()).await;
    assert_eq!(service.snapshot().jwks.body(), &jwks);
    service.signer().unwrap();

    let restored = set.clone();
    let kid: Kid = service.snapshot().keys[0].kid.parse().unwrap();
    set.revoke(&kid, LeadRule::Waive, &context).unwrap();
    put_keys(&server, &set, URL);
    until("the revocation is in force", async || service.refresh(now).await.is_ok()).await;
    assert!(service.verifying_key(&kid.to_string()).is_none());
    put_keys(&server, &restored, URL);
    until("an old backup is refused", async || {
        matches!(service.refresh(now).await, Err(KeyStoreFault::Resurrected { .. }))
    })
    .await;
    assert!(service.verifying_key(&kid.to_string()).is_none());
    assert!(server.calls().iter().all(|call| call.starts_with("GET")), "a pod writes no keys");
}

#[tokio::test]
async fn a_root_secret_is_waited_for_and_a_damaged_one_refused() {
    let server = ApiServer::default();
    let root = RootSecret::follow(&server.cluster(), "vouch");
    until("the absence is told", async || {
        root.read().is_err_and(|fault| fault.to_string().contains("there is no Secret"))
    })
    .await;
    server.put(ROOT, secret("root", &[7; 31], URL));
    until("the damage is told", async || root.read().is_err_and(|fault| fault.to_string().contains("31 bytes"))).await;
    server.put(ROOT, secret("root", &[7; 32], URL));
    until("it is read", async || root.read().is_ok()).await;
}

#[tokio::test]
async fn another_root_secret_is_in_use_at_once_and_a_damaged_one_is_not() {
    let server = ApiServer::default();
    let root = Arc::new(RootSecret::follow(&server.cluster(), "vouch"));
    let test = TestIssuer::new().await;
    let code: InviteCode = "7KQF-29MD-W3XA".parse().unwrap();
    let hash = |secrets: &Secrets| code.hash(secrets).0;
    let in_use = || hash(&test.issuer.secrets.load());
    let maintained = tokio::spawn(Arc::clone(&root).maintain(Arc::clone(&test.issuer)));
    for bytes in [[7; 32], [8; 32]] {
        server.put(ROOT, secret("root", &bytes, URL));
        let derived = hash(&Secrets::derive(&bytes).unwrap());
        until("it is in use", async || in_use() == derived).await;
        server.put(ROOT, secret("root", &[9; 31], URL));
        until("the damage is seen", async || root.read().is_err()).await;
        assert_eq!(in_use(), derived);
    }
    maintained.abort();
}

#[tokio::test]
async fn a_changed_object_takes_effect_and_a_mistake_changes_nothing() {
    let server = ApiServer::default();
    let configuration = Configuration::follow(&server.cluster(), "vouch");
    until("the absence is told", async || {
        configuration.read().is_err_and(|fault| fault.to_string().contains("there is no VouchIssuer vouch"))
    })
    .await;
    server.put(ISSUER, issuer("8h"));
    server.put(FEDERATION, federation("999999999999", "vouch"));
    let federations = async || configuration.read().map_or(0, |declared| declared.config().federations.len());
    until("the federation is read", async || federations().await == 1).await;
    let (config, in_force) = configuration.read().unwrap().split();
    let test = TestIssuer::configured(|current| *current = config).await;
    let maintained = tokio::spawn(Arc::clone(&configuration).maintain(Arc::clone(&test.issuer), in_force));
    let lifetime = || test.issuer.config.load().session_lifetime.as_secs();

    server.put(ISSUER, issuer("4h"));
    until("the change is in force", async || lifetime() == 4 * 3600).await;
    server.put(ISSUER, issuer("100h"));
    until("the mistake is noticed", async || test.issuer.lifecycle.reload_refused()).await;
    assert_eq!(lifetime(), 4 * 3600);
    assert_eq!(test.issuer.config.load().federations.len(), 1);
    server.put(ISSUER, issuer("2h"));
    until("the repair is in force", async || lifetime() == 2 * 3600 && !test.issuer.lifecycle.reload_refused()).await;
    server.put(FEDERATION, federation("999999999999", "another-issuer"));
    until("it is another issuer's now", async || test.issuer.config.load().federations.is_empty()).await;
    maintained.abort();
}
