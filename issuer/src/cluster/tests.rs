#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use vouch_keyring::{ChangeContext, KeySet, Kid, LeadRule, SystemKeyGenerator};

use super::{Cluster, Configuration, RootSecret, SigningKeys};
use crate::{
    config::Config,
    http::private::{METRICS, READYZ, Standing, private},
    identity::{invite::InviteCode, secrets::Secrets},
    keys::{KeyService, KeyStoreFault},
    state::SharedIssuer,
    store::{
        Store as _,
        kubernetes::{KubernetesStore, Scope},
    },
    testing::{
        api_server::{ApiServer, Trouble},
        issuer::TestIssuer,
        until,
    },
};

const URL: &str = "https://vouch.example.com";
const KEYS: &str = "/api/v1/namespaces/vouch/secrets/vouch-signing-keys";
const ROOT: &str = "/api/v1/namespaces/vouch/secrets/vouch-root-secret";
const ISSUER: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchissuers/vouch";
const USERS: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchusers";
const FEDERATION: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/awsfederations/work";

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

fn person(email: &str) -> Value {
    json!({"apiVersion": "vouch.sh/v1alpha1", "kind": "VouchUser", "metadata": {}, "spec": {"email": email}})
}

#[tokio::test]
async fn a_server_that_puts_off_is_asked_again_by_us_and_by_nobody_else() {
    let server = ApiServer::default();
    server.trouble(|_, _| Some(Trouble::RetryAfter(3600)));
    super::choose_cryptography();
    let store = KubernetesStore::follow(&Cluster::connect(server.listen(), None).unwrap(), &Scope::Everybody);
    until("the fault is told", async || store.fault().is_some()).await;
    server.heal();
    until("it is over", async || store.is_synced() && store.fault().is_none()).await;

    let email = "alice@example.com".parse().unwrap();
    server.put(&format!("{USERS}/alice"), person("alice@example.com"));
    until("alice is known", async || store.user_by_email(&email).await.unwrap().is_some()).await;
    let alice = store.user_by_email(&email).await.unwrap().unwrap();
    server.trouble(|method, _| (method == "PATCH").then_some(Trouble::RetryAfter(3600)));
    server.calls();
    let mut next = alice.user.clone();
    next.end_sessions("2026-11-21T10:00:00Z".parse().unwrap());
    store.replace(&alice, &next).await.unwrap_err();
    assert_eq!(server.calls().iter().filter(|call| call.starts_with("PATCH")).count(), 1, "a write is sent once");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_or_not_all_is_noticed_and_asked_again() {
    for trouble in [Trouble::Silence, Trouble::Half] {
        let server = ApiServer::default();
        server.put(&format!("{USERS}/alice"), person("alice@example.com"));
        server.trouble(move |_, _| Some(trouble));
        let store = KubernetesStore::follow(&server.cluster(), &Scope::Everybody);
        until("the fault is told", async || store.fault().is_some_and(|fault| fault.contains("does not answer"))).await;
        server.heal();
        until("everybody is known", async || store.is_synced() && store.fault().is_none()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_falls_silent_is_noticed_within_a_minute_and_nothing_is_missed() {
    let server = ApiServer::default();
    let store = KubernetesStore::follow(&server.cluster(), &Scope::Everybody);
    store.synced().await;
    server.trouble(|_, _| Some(Trouble::Silence));
    server.put(&format!("{USERS}/alice"), person("alice@example.com"));
    let began = tokio::time::Instant::now();
    while store.fault().is_none() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(began.elapsed() < Duration::from_secs(60), "a minute later nobody knows");
    }
    server.heal();
    let email = "alice@example.com".parse().unwrap();
    until("alice is known", async || store.user_by_email(&email).await.unwrap().is_some()).await;
    assert_eq!(store.fault(), None);
}

#[tokio::test]
async fn a_fault_is_over_when_the_watch_goes_on_whether_or_not_anything_changes() {
    let server = ApiServer::default();
    let store = KubernetesStore::follow(&server.cluster(), &Scope::Everybody);
    store.synced().await;
    server.fail(|_, _| Some(500));
    until("the fault is told", async || store.fault().is_some()).await;
    server.heal();
    until("it is over", async || store.fault().is_none()).await;
}

/// What the private listener says of a running issuer.
async fn told(issuer: &SharedIssuer, path: &str) -> String {
    let private = private(Arc::new(Standing::running(Arc::clone(issuer))));
    let answer = private.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    String::from_utf8(to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_configuration_whose_changes_are_not_seen_shows_while_that_lasts() {
    let server = ApiServer::default();
    server.put(ISSUER, issuer("8h"));
    let configuration = Configuration::follow(&server.cluster(), "vouch");
    until("the issuer is read", async || configuration.read().is_ok()).await;
    let (config, in_force) = configuration.read().unwrap().split();
    let test = TestIssuer::configured(|current| *current = config).await;
    let maintained = tokio::spawn(Arc::clone(&configuration).maintain(Arc::clone(&test.issuer), in_force));
    let is = async |status: &str, up: &str| {
        told(&test.issuer, READYZ).await.contains(&format!("\"status\":\"{status}\""))
            && told(&test.issuer, METRICS).await.contains(&format!("vouch_issuer_configuration_up {up}\n"))
    };
    until("all is well", async || is("ready", "1").await).await;
    server.fail(|_, path| path.ends_with("/awsfederations").then_some(403));
    until("the loss shows", async || is("degraded", "0").await).await;
    assert!(told(&test.issuer, READYZ).await.contains("changes are not seen"), "it says what does not happen");
    server.heal();
    until("it is over", async || is("ready", "1").await).await;
    maintained.abort();
}

#[tokio::test]
async fn keys_whose_changes_are_not_seen_are_a_fault_while_that_lasts() {
    let server = ApiServer::default();
    let (policy, now) = (config().await.key_policy, "2026-11-21T09:00:00Z".parse().unwrap());
    let (set, _) = KeySet::initialize(&ChangeContext { policy: &policy, generator: &SystemKeyGenerator, now }).unwrap();
    put_keys(&server, &set, URL);
    let keys = Arc::new(SigningKeys::follow(&server.cluster(), "vouch", URL));
    let begin = async || KeyService::follow(Arc::<SigningKeys>::clone(&keys), policy.clone(), now).await;
    until("the keys are there", async || begin().await.is_ok()).await;
    let service = begin().await.unwrap();
    assert_eq!(service.fault(), None);
    server.fail(|_, path| path.ends_with("/secrets").then_some(403));
    until("the loss is a fault", async || service.fault().is_some()).await;
    service.signer().unwrap();
    server.heal();
    until("it is over", async || service.fault().is_none()).await;
}
