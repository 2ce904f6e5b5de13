//! A person's own keys.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use vouch_issuer_api::{
    enroll::{AddKeyChallengeRequest, KeyInfo, KeyList, RegistrationChallenge},
    paths,
};

use crate::testing::{
    authenticator::SecurityKey,
    client::Client,
    issuer::{Answer, TestIssuer},
};

async fn ask(client: &Client<'_>, key: &mut SecurityKey) -> Answer {
    let challenge = client.challenge().await;
    let assertion = key.assert(&challenge.options);
    client.post(paths::KEYS_CHALLENGE, &AddKeyChallengeRequest { state: challenge.state, assertion }).await
}

async fn add(client: &Client<'_>, key: &mut SecurityKey, new: &mut SecurityKey) -> KeyInfo {
    let offer: RegistrationChallenge = ask(client, key).await.read();
    client.register(paths::KEYS, &offer, new).await.read()
}

fn path_of(id: &str) -> String {
    format!("{}/{id}", paths::KEYS)
}

#[tokio::test]
async fn a_session_and_a_fresh_tap_buy_a_second_key_that_signs_in() {
    let issuer = TestIssuer::new().await;
    let (mut first, mut second) = (SecurityKey::unattested(), SecurityKey::unattested());
    let mut client = Client::signed_in(&issuer, "alice", &mut first).await;
    let info = add(&client, &mut first, &mut second).await;
    assert!(!info.current);
    assert_eq!(issuer.last_event().0, "key_added");
    let list: KeyList = client.get(paths::KEYS).await.read();
    assert_eq!(list.keys.iter().map(|key| key.current).collect::<Vec<_>>(), [true, false]);
    let session = client.sign_in(&mut second).await.session;
    assert_eq!(session.key_id, info.id);
}

#[tokio::test]
async fn a_tap_buys_one_key() {
    let issuer = TestIssuer::new().await;
    let mut key = SecurityKey::unattested();
    let client = Client::signed_in(&issuer, "alice", &mut key).await;
    let challenge = client.challenge().await;
    let assertion = key.assert(&challenge.options);
    let request = AddKeyChallengeRequest { state: challenge.state, assertion };
    let offer: RegistrationChallenge = client.post(paths::KEYS_CHALLENGE, &request).await.read();
    assert_eq!(client.post(paths::KEYS_CHALLENGE, &request).await.error(), "invalid_grant");
    assert_eq!(client.redeem(&request.state, &request.assertion).await.error(), "invalid_grant");
    let registered = client.register(paths::KEYS, &offer, &mut SecurityKey::unattested()).await;
    assert_eq!(registered.status, StatusCode::OK);
    let again = client.register(paths::KEYS, &offer, &mut SecurityKey::unattested()).await;
    assert_eq!(again.error(), "invalid_grant");
    assert_eq!(issuer.user("alice").await.keys.len(), 2);
}

#[tokio::test]
async fn a_key_of_another_person_buys_nothing() {
    let issuer = TestIssuer::new().await;
    let (mut alices, mut bobs) = (SecurityKey::unattested(), SecurityKey::unattested());
    let client = Client::signed_in(&issuer, "alice", &mut alices).await;
    client.enroll("bob", &mut bobs).await;
    assert_eq!(ask(&client, &mut bobs).await.error(), "invalid_grant");
    let bob = Client::signed_in(&issuer, "carol", &mut SecurityKey::unattested()).await;
    let offer: RegistrationChallenge = ask(&client, &mut alices).await.read();
    let refused = bob.register(paths::KEYS, &offer, &mut SecurityKey::unattested()).await;
    assert_eq!(refused.error(), "invalid_grant");
}

#[tokio::test]
async fn an_offer_expires() {
    let issuer = TestIssuer::new().await;
    let mut key = SecurityKey::unattested();
    let client = Client::signed_in(&issuer, "alice", &mut key).await;
    let offer: RegistrationChallenge = ask(&client, &mut key).await.read();
    issuer.clock.advance(Duration::from_secs(300));
    let refused = client.register(paths::KEYS, &offer, &mut SecurityKey::unattested()).await;
    assert_eq!(refused.error(), "invalid_grant");
}

#[tokio::test]
async fn a_key_is_renamed_unless_the_name_is_taken() {
    let issuer = TestIssuer::new().await;
    let (mut first, mut second) = (SecurityKey::unattested(), SecurityKey::unattested());
    let client = Client::signed_in(&issuer, "alice", &mut first).await;
    let id = add(&client, &mut first, &mut second).await.id;
    let rename = async |id: &str, name: &str| client.call(Method::PATCH, &path_of(id), json!({"name": name})).await;
    assert_eq!(rename(&id, "  spare ").await.read::<KeyInfo>().name, "spare");
    assert_eq!(issuer.user("alice").await.keys[1].name, "spare");
    assert_eq!(issuer.last_event().0, "key_renamed");
    assert_eq!(rename(&id, "spare").await.status, StatusCode::OK);
    assert_eq!(rename(&id, "Security key").await.error(), "invalid_request");
    assert_eq!(rename(&id, "").await.error(), "invalid_request");
    assert_eq!(rename("0123456789abcdef", "other").await.error(), "not_found");
}

#[tokio::test]
async fn the_last_key_is_removed_only_when_asked_for() {
    let issuer = TestIssuer::new().await;
    let mut key = SecurityKey::unattested();
    let client = Client::signed_in(&issuer, "alice", &mut key).await;
    let id = issuer.user("alice").await.keys[0].id.clone();
    let refused = client.call(Method::DELETE, &path_of(&id), Value::Null).await;
    assert_eq!((refused.status, refused.error()), (StatusCode::CONFLICT, "last_key"));
    assert_eq!(issuer.user("alice").await.keys.len(), 1);
    let removed = client.call(Method::DELETE, &format!("{}?allow_last=true", path_of(&id)), Value::Null).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert!(issuer.user("alice").await.keys.is_empty());
    assert_eq!(issuer.last_event(), ("key_removed".to_owned(), None, Some("alice@example.com".to_owned())));
}

#[tokio::test]
async fn with_a_key_go_its_sessions_and_its_credential() {
    let issuer = TestIssuer::new().await;
    let (mut first, mut second) = (SecurityKey::unattested(), SecurityKey::unattested());
    let by_first = Client::signed_in(&issuer, "alice", &mut first).await;
    let id = add(&by_first, &mut first, &mut second).await.id;
    let mut by_second = Client::new(&issuer);
    by_second.sign_in(&mut second).await;
    assert_eq!(by_first.call(Method::DELETE, &path_of(&id), Value::Null).await.status, StatusCode::NO_CONTENT);
    let ended = by_second.get(paths::SESSION).await;
    assert_eq!((ended.status, ended.error()), (StatusCode::UNAUTHORIZED, "session_ended"));
    assert_eq!(by_second.try_sign_in(&mut second).await.error(), "key_unknown");
    assert_eq!(by_first.get(paths::SESSION).await.status, StatusCode::OK);
}

#[tokio::test]
async fn nobody_touches_the_keys_of_another_person() {
    let issuer = TestIssuer::new().await;
    let alice = Client::signed_in(&issuer, "alice", &mut SecurityKey::unattested()).await;
    let _bob = Client::signed_in(&issuer, "bob", &mut SecurityKey::unattested()).await;
    let id = issuer.user("bob").await.keys[0].id.clone();
    let removed = alice.call(Method::DELETE, &format!("{}?allow_last=true", path_of(&id)), Value::Null).await;
    assert_eq!((removed.status, removed.error()), (StatusCode::NOT_FOUND, "not_found"));
    assert_eq!(alice.call(Method::PATCH, &path_of(&id), json!({"name": "mine"})).await.error(), "not_found");
    assert_eq!(issuer.user("bob").await.keys.len(), 1);
}

#[tokio::test]
async fn a_record_holds_a_bounded_number_of_keys() {
    let issuer = TestIssuer::new().await;
    let mut key = SecurityKey::unattested();
    let client = Client::signed_in(&issuer, "alice", &mut key).await;
    issuer
        .change("alice", |user| {
            let template = user.keys[0].clone();
            for number in 1..32 {
                let mut copy = template.clone();
                copy.id = format!("{number:016}");
                copy.credential_id.0 = format!("Y3JlZGVudGlhbA{number}");
                user.keys.push(copy);
            }
        })
        .await;
    let refused = ask(&client, &mut key).await;
    assert_eq!(refused.error(), "invalid_request");
    assert!(refused.body["error_description"].as_str().unwrap().contains("32 security keys"), "{refused:?}");
}
