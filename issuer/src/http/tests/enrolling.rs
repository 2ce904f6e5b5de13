//! Invites, and what they are traded for.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;
use vouch_iam::identity::EmailAddress;
use vouch_issuer_api::{
    enroll::{KeyInfo, RegisterKeyRequest},
    paths,
};

use crate::{
    clock::Clock as _,
    config::AuthenticatorPolicy,
    identity::enrollment::{Registrar, registrant},
    store::{
        Everybody, Store, StoreError, Stored,
        record::{CredentialId, InviteHash, UserId, UserRecord},
        sqlite::SqliteStore,
    },
    testing::{
        authenticator::{Attestation, Maker, SecurityKey},
        client::Client,
        issuer::TestIssuer,
    },
};

#[tokio::test]
async fn an_invite_buys_one_key() {
    let issuer = TestIssuer::new().await;
    let (client, mut key) = (Client::new(&issuer), SecurityKey::unattested());
    let code = issuer.invite("alice").await;
    let offer = client.offer(&code.to_lowercase().replace('-', " ")).await;
    assert_eq!((offer.email.as_str(), offer.organization.as_str()), ("alice@example.com", "Example"));
    assert!(offer.first_key && !offer.attestation_required && offer.accepted_aaguids.is_empty());
    assert_eq!(offer.expires_in, 300);
    let request = RegisterKeyRequest {
        state: offer.state.clone(),
        credential: key.register(&offer.options),
        name: Some(" blue ".to_owned()),
    };
    let info: KeyInfo = client.post(paths::ENROLL, &request).await.read();
    assert_eq!((info.name.as_str(), info.id.len(), info.current), ("blue", 16, false));
    let user = issuer.user("alice").await;
    assert_eq!(user.keys.len(), 1);
    assert_eq!(user.keys[0].credential_id.0, info.credential_id);
    assert_eq!(user.invite.unwrap().used_at, Some(issuer.clock.now()));
    assert_eq!(issuer.last_event(), ("enrolled".to_owned(), None, Some("alice@example.com".to_owned())));
}

#[tokio::test]
async fn offering_a_registration_writes_nothing() {
    let issuer = TestIssuer::new().await;
    let client = Client::new(&issuer);
    let code = issuer.invite("alice").await;
    let changes = issuer.issuer.store.changes();
    for _ in 0..3 {
        client.offer(&code).await;
        assert_eq!(
            client.post(paths::ENROLL_CHALLENGE, &json!({"code": "7KQF-29MD-W3XA"})).await.error(),
            "invite_unknown"
        );
    }
    assert!(!changes.has_changed().unwrap());
}

#[tokio::test]
async fn unknown_used_and_expired_invites_are_told_apart() {
    let issuer = TestIssuer::new().await;
    let client = Client::new(&issuer);
    let ask = async |code: &str| client.post(paths::ENROLL_CHALLENGE, &json!({"code": code})).await;
    for code in ["7KQF-29MD-W3XA", "7KQF", "", "not a code!"] {
        let refused = ask(code).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::NOT_FOUND, "invite_unknown"), "{code}");
    }
    let code = issuer.invite("alice").await;
    let offer = client.offer(&code).await;
    let mut key = SecurityKey::unattested();
    assert_eq!(client.register(paths::ENROLL, &offer, &mut key).await.status, StatusCode::OK);
    let refused = ask(&code).await;
    assert_eq!((refused.status, refused.error()), (StatusCode::GONE, "invite_used"));
    let again = client.register(paths::ENROLL, &offer, &mut SecurityKey::unattested()).await;
    assert_eq!((again.status, again.error()), (StatusCode::GONE, "invite_used"));
    assert_eq!(issuer.user("alice").await.keys.len(), 1);
    let code = issuer.invite("bob").await;
    issuer.clock.advance(Duration::from_secs(86_400));
    let refused = ask(&code).await;
    assert_eq!((refused.status, refused.error()), (StatusCode::GONE, "invite_expired"));
}

#[tokio::test]
async fn an_invite_that_expires_or_is_replaced_during_the_ceremony_buys_nothing() {
    let issuer = TestIssuer::new().await;
    let client = Client::new(&issuer);
    let code = issuer.invite("alice").await;
    issuer.clock.advance(Duration::from_secs(86_400 - 10));
    let offer = client.offer(&code).await;
    issuer.clock.advance(Duration::from_secs(10));
    let refused = client.register(paths::ENROLL, &offer, &mut SecurityKey::unattested()).await;
    assert_eq!(refused.error(), "invite_expired");
    let offer = client.offer(&issuer.invite("alice").await).await;
    issuer.invite("alice").await;
    let refused = client.register(paths::ENROLL, &offer, &mut SecurityKey::unattested()).await;
    assert_eq!(refused.error(), "invite_unknown");
    assert!(issuer.user("alice").await.keys.is_empty());
}

#[tokio::test]
async fn a_disabled_person_enrolls_nothing() {
    let issuer = TestIssuer::new().await;
    let client = Client::new(&issuer);
    let code = issuer.invite("alice").await;
    let offer = client.offer(&code).await;
    issuer.change("alice", |user| user.disabled = true).await;
    assert_eq!(client.post(paths::ENROLL_CHALLENGE, &json!({"code": code})).await.error(), "user_disabled");
    let refused = client.register(paths::ENROLL, &offer, &mut SecurityKey::unattested()).await;
    assert_eq!((refused.status, refused.error()), (StatusCode::FORBIDDEN, "user_disabled"));
}

#[tokio::test]
async fn a_credential_is_enrolled_once_whoever_asks() {
    let issuer = TestIssuer::new().await;
    let (client, mut key) = (Client::new(&issuer), SecurityKey::unattested());
    client.enroll("alice", &mut key).await;
    for name in ["alice", "bob"] {
        let offer = client.offer(&issuer.invite(name).await).await;
        let refused = client.register(paths::ENROLL, &offer, &mut key).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::CONFLICT, "key_already_enrolled"));
    }
    assert_eq!(issuer.user("alice").await.keys.len(), 1);
    assert!(issuer.user("bob").await.invite.unwrap().used_at.is_none(), "the invite is still good");
}

#[tokio::test]
async fn a_later_invite_excludes_the_keys_the_person_has() {
    let issuer = TestIssuer::new().await;
    let (client, mut key) = (Client::new(&issuer), SecurityKey::unattested());
    client.enroll("alice", &mut key).await;
    let offer = client.offer(&issuer.invite("alice").await).await;
    assert!(!offer.first_key);
    let excluded = offer.options.public_key.exclude_credentials.unwrap();
    assert_eq!(excluded.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), [key.credential_id.clone()]);
}

#[tokio::test]
async fn keys_without_a_name_are_told_apart() {
    let issuer = TestIssuer::new().await;
    let client = Client::new(&issuer);
    for name in ["Security key", "Security key 2", "Security key 3"] {
        assert_eq!(client.enroll("alice", &mut SecurityKey::unattested()).await.name, name);
    }
}

#[tokio::test]
async fn the_policy_is_told_beforehand_and_kept_afterwards() {
    let model = Uuid::from_u128(5);
    let issuer = TestIssuer::configured(|config| {
        config.authenticators.policy = AuthenticatorPolicy::YubiKey(None);
        config.authenticators.allowed_aaguids = vec![model];
    })
    .await;
    let client = Client::new(&issuer);
    let code = issuer.invite("alice").await;
    for attestation in [Attestation::Nothing, Attestation::Itself, Attestation::Packed(Maker::of_model(model))] {
        let offer = client.offer(&code).await;
        assert!(offer.attestation_required);
        assert_eq!(offer.accepted_aaguids, [model]);
        let refused = client.register(paths::ENROLL, &offer, &mut SecurityKey::new(attestation)).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::BAD_REQUEST, "key_not_accepted"), "{refused:?}");
    }
    let user = issuer.user("alice").await;
    assert!(user.keys.is_empty() && user.invite.unwrap().used_at.is_none());
}

#[tokio::test]
async fn refuses_what_differs_from_an_honest_registration() {
    type Change = fn(&mut SecurityKey);
    let changes: [(Change, &str); 4] = [
        (|key| key.user_verified = false, "invalid_grant"),
        (|key| key.origin = "https://vouch.example.org".to_owned(), "invalid_grant"),
        (|key| key.rp_id = Some("example.com".to_owned()), "invalid_grant"),
        (|key| key.cred_protect = Some(1), "key_not_accepted"),
    ];
    let issuer = TestIssuer::new().await;
    let client = Client::new(&issuer);
    let code = issuer.invite("alice").await;
    for (change, code_of_refusal) in changes {
        let offer = client.offer(&code).await;
        let mut key = SecurityKey::unattested();
        change(&mut key);
        assert_eq!(client.register(paths::ENROLL, &offer, &mut key).await.error(), code_of_refusal);
    }
    assert!(issuer.user("alice").await.keys.is_empty());
}

#[tokio::test]
async fn states_are_not_interchangeable() {
    let issuer = TestIssuer::new().await;
    let (mut client, mut key) = (Client::new(&issuer), SecurityKey::unattested());
    let login = client.challenge().await;
    let offer = client.offer(&issuer.invite("alice").await).await;
    let mut request = RegisterKeyRequest { state: login.state, credential: key.register(&offer.options), name: None };
    assert_eq!(client.post(paths::ENROLL, &request).await.error(), "invalid_grant");
    request.state.clone_from(&offer.state);
    assert_eq!(client.post(paths::ENROLL, &request).await.status, StatusCode::OK);
    client.sign_in(&mut key).await;
    assert_eq!(client.post(paths::KEYS, &request).await.error(), "invalid_grant");
}

#[tokio::test]
async fn a_malformed_request_is_told_what_is_wrong() {
    let issuer = TestIssuer::new().await;
    let client = Client::new(&issuer);
    for (path, body) in [
        (paths::ENROLL_CHALLENGE, json!({})),
        (paths::ENROLL_CHALLENGE, json!({"code": 5})),
        (paths::ENROLL, json!({"state": "x"})),
        (paths::ENROLL, json!([])),
    ] {
        let refused = client.post(path, &body).await;
        assert_eq!((refused.status, refused.error()), (StatusCode::BAD_REQUEST, "invalid_request"), "{path} {body}");
    }
    let refused = client.post(paths::ENROLL_CHALLENGE, &Value::Null).await;
    assert_eq!(refused.error(), "invalid_request");
}

#[tokio::test]
async fn a_name_that_will_not_do_is_refused_before_anything_is_used_up() {
    let issuer = TestIssuer::new().await;
    let client = Client::new(&issuer);
    let offer = client.offer(&issuer.invite("alice").await).await;
    let mut key = SecurityKey::unattested();
    for name in ["", "  ", "a\u{7}b", &"x".repeat(65)] {
        let request = RegisterKeyRequest {
            state: offer.state.clone(),
            credential: key.register(&offer.options),
            name: Some(name.to_owned()),
        };
        assert_eq!(client.post(paths::ENROLL, &request).await.error(), "invalid_request", "{name:?}");
    }
    assert_eq!(client.register(paths::ENROLL, &offer, &mut key).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_person_whose_address_aws_cannot_carry_does_not_exist() {
    let issuer = TestIssuer::new().await;
    let stored = {
        issuer.invite("alice").await;
        issuer.stored("alice").await
    };
    for email in ["o'brien@example.com".to_owned(), format!("{}@example.com", "a".repeat(60))] {
        let mut record = serde_json::to_value(&stored.user).unwrap();
        record["email"] = email.into();
        let error = serde_json::from_value::<UserRecord>(record).unwrap_err().to_string();
        assert!(error.contains("AWS"), "{error}");
    }
}

/// A store that dies at its next write, before or after it is on disk.
struct Dying {
    inner: SqliteStore,
    after: bool,
}

#[async_trait]
impl Store for Dying {
    async fn user(&self, id: UserId) -> Result<Option<Stored>, StoreError> {
        self.inner.user(id).await
    }
    async fn user_by_email(&self, email: &EmailAddress) -> Result<Option<Stored>, StoreError> {
        self.inner.user_by_email(email).await
    }
    async fn user_by_credential(&self, credential: &CredentialId) -> Result<Option<Stored>, StoreError> {
        self.inner.user_by_credential(credential).await
    }
    async fn user_by_invite(&self, invite: &InviteHash) -> Result<Option<Stored>, StoreError> {
        self.inner.user_by_invite(invite).await
    }
    async fn users(&self) -> Result<Everybody, StoreError> {
        self.inner.users().await
    }
    async fn create(&self, user: &UserRecord) -> Result<Stored, StoreError> {
        self.inner.create(user).await
    }
    async fn replace(&self, current: &Stored, next: &UserRecord) -> Result<Stored, StoreError> {
        if self.after {
            self.inner.replace(current, next).await?;
        }
        Err(StoreError::Unavailable("power cut".into()))
    }
    fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes()
    }
    async fn health(&self) -> Result<(), StoreError> {
        self.inner.health().await
    }
}

#[tokio::test]
async fn a_crash_leaves_a_whole_key_or_none() {
    for after in [false, true] {
        let issuer = TestIssuer::new().await;
        let (mut client, mut key) = (Client::new(&issuer), SecurityKey::unattested());
        let code = issuer.invite("alice").await;
        let offer = client.offer(&code).await;
        let request =
            RegisterKeyRequest { state: offer.state.clone(), credential: key.register(&offer.options), name: None };
        let store: Arc<dyn Store> = Arc::new(Dying { inner: issuer.other_store(), after });
        let config = issuer.issuer.config.load_full();
        let secrets = issuer.issuer.secrets.load_full();
        let registrar = Registrar::new(&config, &secrets).unwrap();
        let open = registrar.open_enrollment(&request.state, issuer.clock.now()).unwrap();
        let owner = registrant(&*store, &open).await.unwrap();
        registrar.register(&*store, owner, &open, &request, issuer.clock.now()).await.unwrap_err();
        let user = issuer.user("alice").await;
        assert_eq!((user.keys.len() == 1, user.invite.unwrap().used_at.is_some()), (after, after));
        if !after {
            assert_eq!(client.post(paths::ENROLL, &request).await.status, StatusCode::OK, "the invite is still good");
        }
        client.sign_in(&mut key).await;
    }
}
