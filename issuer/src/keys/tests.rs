#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{collections::BTreeSet, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use vouch_keyring::{ChangeKind, KeyPolicySettings, KeySet, Kid, LeadRule};
use zeroize::Zeroizing;

use super::*;
use crate::database::{Database, DatabaseError};

const HOUR: Duration = Duration::from_secs(3600);

fn policy() -> KeyPolicy {
    policy_of([Algorithm::Es256])
}

fn policy_of<const N: usize>(algorithms: [Algorithm; N]) -> KeyPolicy {
    KeyPolicy::new(KeyPolicySettings {
        algorithms: BTreeSet::from(algorithms),
        rotation_period: 10 * HOUR,
        publish_lead: HOUR,
        retain_retired: HOUR,
        max_token_lifetime: Duration::from_secs(60),
    })
    .unwrap()
}

fn start() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

struct Fixture {
    dir: tempfile::TempDir,
    database: Database,
}

impl Fixture {
    async fn new() -> Self {
        let fixture = Self::empty();
        change::initialize(&fixture.database, &policy(), start()).await.unwrap();
        fixture
    }

    fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::create(&path(dir.path())).unwrap();
        Self { dir, database }
    }

    /// As another process sees it.
    fn reopened(&self) -> Database {
        Database::open(&path(self.dir.path())).unwrap()
    }

    async fn service(&self) -> KeyService {
        KeyService::load(Arc::new(self.reopened()), policy(), start()).await.unwrap()
    }

    async fn execute(&self, sql: &'static str) {
        let done = self.database.call(move |connection| Ok::<_, DatabaseError>(connection.execute(sql, [])?)).await;
        assert_eq!(done.unwrap(), 1);
    }
}

fn path(dir: &Path) -> std::path::PathBuf {
    dir.join("issuer.db")
}

fn kids(snapshot: &Snapshot, state: &str) -> Vec<String> {
    snapshot.keys.iter().filter(|key| key.state == state).map(|key| key.kid.clone()).collect()
}

#[tokio::test]
async fn a_missing_key_store_is_refused_and_stays_empty() {
    let fixture = Fixture::empty();
    let fault = KeyService::load(Arc::new(fixture.reopened()), policy(), start()).await.unwrap_err();
    assert!(matches!(fault, KeyStoreFault::Store(KeyStoreError::Missing)), "{fault:?}");
    assert!(matches!(fixture.database.load().await, Err(KeyStoreError::Missing)), "keys were made silently");
}

#[tokio::test]
async fn a_damaged_key_store_is_refused_and_left_as_it_is() {
    let fixture = Fixture::new().await;
    fixture.execute("UPDATE keyring SET document = CAST('{\"version\":1' AS BLOB)").await;
    let fault = KeyService::load(Arc::new(fixture.reopened()), policy(), start()).await.unwrap_err();
    assert!(matches!(fault, KeyStoreFault::Document(_)), "{fault:?}");
    assert!(describe(&fault).contains("restore it from a backup"));
    assert_eq!(fixture.database.load().await.unwrap().document.as_str(), "{\"version\":1");
}

#[tokio::test]
async fn initialising_twice_changes_nothing() {
    let fixture = Fixture::new().await;
    let before = fixture.database.load().await.unwrap();
    let again = change::initialize(&fixture.database, &policy(), start()).await;
    assert!(matches!(again, Err(KeyStoreFault::Store(KeyStoreError::Conflict))));
    assert_eq!(fixture.database.load().await.unwrap().document, before.document);
}

#[tokio::test]
async fn damage_while_running_keeps_the_last_good_keys_until_it_is_repaired() {
    let fixture = Fixture::new().await;
    let service = fixture.service().await;
    let good = fixture.database.load().await.unwrap().document;
    let jwks = service.snapshot().jwks.body().clone();
    let late = start() + 30 * HOUR;

    fixture.execute("UPDATE keyring SET document = x'ff00'").await;
    assert!(service.refresh(late).await.is_err());
    assert!(service.fault().is_some());
    assert_eq!(service.snapshot().jwks.body(), &jwks);
    service.signer().unwrap();

    fixture.execute("DELETE FROM keyring").await;
    assert!(matches!(service.refresh(late).await, Err(KeyStoreFault::Store(KeyStoreError::Missing))));
    assert_eq!(service.snapshot().jwks.body(), &jwks);

    fixture.database.create(good).await.unwrap();
    service.refresh(start()).await.unwrap();
    assert!(service.fault().is_none());
    assert_eq!(service.snapshot().jwks.body(), &jwks);
}

#[tokio::test]
async fn rotates_when_it_is_time_and_not_before() {
    let fixture = Fixture::new().await;
    let service = fixture.service().await;
    let first = service.signer().unwrap().kid().clone();
    let due = service.snapshot().next_transition.unwrap();

    assert!(service.refresh(due - Duration::from_secs(1)).await.unwrap().is_empty());
    assert_eq!(service.signer().unwrap().kid(), &first);

    let published_before = kids(&service.snapshot(), "next");
    let changes = service.refresh(due).await.unwrap();
    let second = service.signer().unwrap().kid().clone();
    assert_ne!(second, first);
    assert_eq!(published_before, [second.to_string()], "the new signer was published before");
    assert_eq!(kids(&service.snapshot(), "retired"), [first.to_string()]);
    assert!(service.verifying_key(first.as_str()).is_some(), "tokens of the old key still verify");
    assert!(changes.iter().any(|change| change.kid == second && change.kind == ChangeKind::Activated));
}

#[tokio::test]
async fn two_processes_rotate_one_store_once_and_neither_fails() {
    let fixture = Fixture::new().await;
    let (one, other) = (fixture.service().await, fixture.service().await);
    let due = one.snapshot().next_transition.unwrap();
    let (first, second) = tokio::join!(one.refresh(due), other.refresh(due));
    let changes = [first.unwrap(), second.unwrap()].concat();
    assert_eq!(changes.iter().filter(|change| change.kind == ChangeKind::Activated).count(), 1, "{changes:?}");
    assert_eq!(one.signer().unwrap().kid(), other.signer().unwrap().kid());
    assert_eq!(one.snapshot().jwks.body(), other.snapshot().jwks.body());
}

#[tokio::test]
async fn a_key_revoked_by_another_process_verifies_nothing_after_the_next_reading() {
    let fixture = Fixture::new().await;
    let service = fixture.service().await;
    let kid = service.signer().unwrap().kid().clone();
    let mut changes = service.changes();
    let revoked: Kid = kid.clone();
    let now = start() + 2 * HOUR;
    change::order(&fixture.database, &policy(), now, move |set, context| {
        Ok(set.revoke(&revoked, LeadRule::Keep, context)?)
    })
    .await
    .unwrap();
    tokio::time::timeout(Duration::from_secs(30), changes.changed()).await.unwrap().unwrap();
    service.refresh(now).await.unwrap();
    assert!(service.verifying_key(kid.as_str()).is_none());
    assert_ne!(service.signer().unwrap().kid(), &kid);
    let body = String::from_utf8(service.snapshot().jwks.body().to_vec()).unwrap();
    assert!(!body.contains(kid.as_str()));
}

#[tokio::test]
async fn a_backup_from_before_a_revocation_is_refused_while_running() {
    let fixture = Fixture::new().await;
    let backup = fixture.database.load().await.unwrap().document;
    let service = fixture.service().await;
    let kid = service.signer().unwrap().kid().clone();
    let now = start() + 2 * HOUR;
    let revoked = kid.clone();
    change::order(&fixture.database, &policy(), now, move |set, context| {
        Ok(set.revoke(&revoked, LeadRule::Keep, context)?)
    })
    .await
    .unwrap();
    service.refresh(now).await.unwrap();

    let current = fixture.database.load().await.unwrap().revision;
    fixture.database.replace(current, backup).await.unwrap();
    let fault = service.refresh(now).await.unwrap_err();
    assert!(matches!(&fault, KeyStoreFault::Resurrected { kid: back } if *back == kid), "{fault:?}");
    assert!(service.verifying_key(kid.as_str()).is_none());
}

#[tokio::test]
async fn an_added_algorithm_signs_only_after_its_key_was_published_for_the_lead() {
    let fixture = Fixture::new().await;
    let service = fixture.service().await;
    service.set_policy(policy_of([Algorithm::Es256, Algorithm::Rs256]));
    service.refresh(start()).await.unwrap();
    assert!(
        matches!(service.signer_for(Algorithm::Rs256), Err(NoSigner::Waiting { until, .. }) if until == start() + HOUR)
    );
    assert_eq!(service.snapshot().count_by_state()[0], ("next", 2));
    service.refresh(start() + HOUR).await.unwrap();
    service.signer_for(Algorithm::Rs256).unwrap();
}

#[tokio::test]
async fn what_the_signer_signs_the_verifying_key_verifies() {
    let fixture = Fixture::new().await;
    let service = fixture.service().await;
    let signer = service.signer().unwrap();
    let token = signer.sign_jwt(Some("JWT"), &serde_json::json!({"sub": "alice@example.com"})).unwrap();
    let header = jsonwebtoken::decode_header(&token).unwrap();
    let key = service.verifying_key(header.kid.as_deref().unwrap()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(key.verifies(Algorithm::Es256, signed.as_bytes(), &signature));
    assert!(!key.verifies(Algorithm::Rs256, signed.as_bytes(), &signature));
    assert!(!key.verifies(Algorithm::Es256, &signed.as_bytes()[1..], &signature));
}

#[tokio::test]
async fn neither_the_service_nor_the_stored_document_shows_key_material() {
    let fixture = Fixture::new().await;
    let stored = fixture.database.load().await.unwrap();
    let document: Zeroizing<String> = stored.document.clone();
    let json: serde_json::Value = serde_json::from_str(&document).unwrap();
    let secret = json["set"]["keys"][0]["pkcs8"].as_str().unwrap();
    let shown = format!("{:?} {stored:?} {:?}", fixture.service().await, KeySet::from_json(&document).unwrap());
    assert!(!shown.contains(&secret[40..80]), "{shown}");
}

/// The keys of a JWKS document, as a verifier keeps them.
fn copy(service: &KeyService) -> jsonwebtoken::jwk::JwkSet {
    serde_json::from_slice(service.snapshot().jwks.body()).unwrap()
}

fn verifies(copy: &jsonwebtoken::jwk::JwkSet, token: &str) -> bool {
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let Some(key) = copy.find(&kid) else { return false };
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    jsonwebtoken::decode::<serde_json::Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation).is_ok()
}

#[tokio::test]
async fn a_verifier_with_the_stalest_copy_of_the_keys_accepts_every_live_token_through_rotations() {
    let fixture = Fixture::new().await;
    let service = fixture.service().await;
    let step = HOUR / 4;
    // What the verifier read at each step; it keeps a copy for as long as the publish lead (4 steps), and accepts a
    // token for its life of 60 s and another 300 s, so no token outlives one step.
    let mut copies = vec![copy(&service)];
    let mut signers = BTreeSet::new();
    let mut earlier = None;
    for steps in 1..200 {
        service.refresh(start() + step * steps).await.unwrap();
        copies.push(copy(&service));
        let signer = service.signer().unwrap();
        signers.insert(signer.kid().clone());
        let token = signer.sign_jwt(Some("JWT"), &serde_json::json!({})).unwrap();
        for copy in copies.iter().rev().take(5) {
            assert!(verifies(copy, &token), "step {steps}: a verifier with an older copy refuses a new token");
        }
        if let Some(earlier) = earlier.replace(token) {
            assert!(verifies(copies.last().unwrap(), &earlier), "step {steps}: a fresh copy refuses a living token");
        }
    }
    assert!(signers.len() > 3, "only {} keys have signed", signers.len());
}

#[tokio::test]
async fn a_key_store_that_lost_its_file_keeps_the_last_good_keys_and_rotates_nothing() {
    let fixture = Fixture::new().await;
    let service = fixture.service().await;
    let jwks = service.snapshot().jwks.body().clone();
    let due = service.snapshot().next_transition.unwrap();
    std::fs::remove_file(path(fixture.dir.path())).unwrap();
    let fault = service.refresh(due).await.unwrap_err();
    assert!(describe(&fault).contains("was removed or replaced"), "{fault:?}");
    assert_eq!(service.snapshot().jwks.body(), &jwks);
}
