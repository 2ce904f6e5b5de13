//! A person's own keys.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use vouch_issuer_api::{
    enroll::{AddKeyChallengeRequest, KeyInfo, KeyList, RegistrationChallenge, RemoveKeyRequest},
    paths,
};

use crate::{
    identity::refusal::Refusal,
    testing::{
        authenticator::SecurityKey,
        client::Client,
        issuer::{Answer, TestIssuer},
    },
};

async fn add(client: &Client<'_>, key: &mut SecurityKey, new: &mut SecurityKey) -> KeyInfo {
    let offer: RegistrationChallenge = client.ask_for_key(key).await.read();
    client.register(paths::KEYS, &offer, new).await.read()
}

/// Asks for the removal of a key with a tap of `key`.
async fn remove(client: &Client<'_>, id: &str, key: &mut SecurityKey, allow_last: bool) -> Answer {
    let AddKeyChallengeRequest { state, assertion } = client.tap(key).await;
    let request = RemoveKeyRequest { state, assertion, allow_last };
    client.post(&format!("{}/removal", path_of(id)), &request).await
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
    let request = client.tap(&mut key).await;
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
    assert_eq!(client.ask_for_key(&mut bobs).await.error(), "invalid_grant");
    let bob = Client::signed_in(&issuer, "carol", &mut SecurityKey::unattested()).await;
    let offer: RegistrationChallenge = client.ask_for_key(&mut alices).await.read();
    let refused = bob.register(paths::KEYS, &offer, &mut SecurityKey::unattested()).await;
    assert_eq!(refused.error(), "invalid_grant");
}

#[tokio::test]
async fn an_offer_expires() {
    let issuer = TestIssuer::new().await;
    let mut key = SecurityKey::unattested();
    let client = Client::signed_in(&issuer, "alice", &mut key).await;
    let offer: RegistrationChallenge = client.ask_for_key(&mut key).await.read();
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
    let refused = remove(&client, &id, &mut key, false).await;
    assert_eq!((refused.status, refused.error()), (StatusCode::CONFLICT, "last_key"));
    assert_eq!(issuer.user("alice").await.keys.len(), 1);
    assert_eq!(remove(&client, &id, &mut key, true).await.status, StatusCode::NO_CONTENT);
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
    assert_eq!(remove(&by_first, &id, &mut first, false).await.status, StatusCode::NO_CONTENT);
    let ended = by_second.get(paths::SESSION).await;
    assert_eq!((ended.status, ended.error()), (StatusCode::UNAUTHORIZED, "session_ended"));
    assert_eq!(by_second.try_sign_in(&mut second).await.error(), "key_unknown");
    assert_eq!(by_first.get(paths::SESSION).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_without_a_fresh_tap_removes_nothing() {
    let issuer = TestIssuer::new().await;
    let (mut first, mut second) = (SecurityKey::unattested(), SecurityKey::unattested());
    // No counter notices a repetition.
    (first.counts, first.counter) = (false, 0);
    let mut client = Client::signed_in(&issuer, "alice", &mut first).await;
    let id = add(&client, &mut first, &mut second).await.id;
    let path = format!("{}/removal", path_of(&id));
    assert_eq!(client.post(&path, &json!({"allow_last": true})).await.error(), "invalid_request");
    let deleted = client.call(Method::DELETE, &path_of(&id), Value::Null).await;
    assert_eq!(deleted.status, StatusCode::METHOD_NOT_ALLOWED);
    // A tap that has done something else, and one that removed a key before.
    let AddKeyChallengeRequest { state, assertion } = client.tap(&mut first).await;
    assert_eq!(client.redeem(&state, &assertion).await.status, StatusCode::OK);
    let used = RemoveKeyRequest { state, assertion, allow_last: true };
    let refused = client.post(&path, &used).await;
    assert!(refused.is(Refusal::Replayed), "{refused:?}");
    assert_eq!(issuer.user("alice").await.keys.len(), 2);
    client.sign_in(&mut second).await;
    assert_eq!(remove(&client, &id, &mut first, true).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn nobody_touches_the_keys_of_another_person() {
    let issuer = TestIssuer::new().await;
    let (mut alices, mut bobs) = (SecurityKey::unattested(), SecurityKey::unattested());
    let alice = Client::signed_in(&issuer, "alice", &mut alices).await;
    let _bob = Client::signed_in(&issuer, "bob", &mut bobs).await;
    let id = issuer.user("bob").await.keys[0].id.clone();
    let removed = remove(&alice, &id, &mut alices, true).await;
    assert_eq!((removed.status, removed.error()), (StatusCode::NOT_FOUND, "not_found"));
    assert_eq!(remove(&alice, &id, &mut bobs, true).await.error(), "invalid_grant");
    assert_eq!(alice.call(Method::PATCH, &path_of(&id), json!({"name": "mine"})).await.error(), "not_found");
    assert_eq!(issuer.user("bob").await.keys.len(), 1);
}

#[tokio::test]
async fn an_offer_goes_with_the_key_that_paid_for_it() {
    let issuer = TestIssuer::new().await;
    let (mut lost, mut spare) = (SecurityKey::unattested(), SecurityKey::unattested());
    let mut client = Client::signed_in(&issuer, "alice", &mut lost).await;
    let id = issuer.user("alice").await.keys[0].id.clone();
    add(&client, &mut lost, &mut spare).await;
    client.sign_in(&mut spare).await;
    let offer: RegistrationChallenge = client.ask_for_key(&mut lost).await.read();
    assert_eq!(remove(&client, &id, &mut spare, false).await.status, StatusCode::NO_CONTENT);
    let refused = client.register(paths::KEYS, &offer, &mut SecurityKey::unattested()).await;
    assert!(refused.is(Refusal::PayingKeyRemoved), "{refused:?}");
    assert_eq!(issuer.user("alice").await.keys.len(), 1);
}

#[tokio::test]
async fn a_record_holds_a_bounded_number_of_keys_and_the_last_one_can_be_added() {
    const LONGEST_ID: usize = 255;
    let issuer = TestIssuer::new().await;
    let mut key = SecurityKey::unattested();
    key.credential_id = vec![1; LONGEST_ID];
    let client = Client::signed_in(&issuer, "alice", &mut key).await;
    // Every one is excluded from a registration, whose state must be small enough to come back.
    issuer
        .change("alice", |user| {
            let template = user.keys[0].clone();
            for number in 1..32 {
                let mut copy = template.clone();
                copy.id = format!("{number:016}");
                copy.credential_id.0 = format!("Y3JlZGVudGlhbA{number}");
                copy.name = format!("Key {number}");
                user.keys.push(copy);
            }
        })
        .await;
    assert!(client.ask_for_key(&mut key).await.is(Refusal::TooManyKeys(32)));
    issuer.change("alice", |user| drop(user.keys.pop())).await;
    let offer: RegistrationChallenge = client.ask_for_key(&mut key).await.read();
    let mut long = SecurityKey::unattested();
    long.credential_id = vec![2; LONGEST_ID + 1];
    assert_eq!(client.register(paths::KEYS, &offer, &mut long).await.error(), "key_not_accepted");
    long.credential_id.pop();
    assert_eq!(client.register(paths::KEYS, &offer, &mut long).await.status, StatusCode::OK);
    assert_eq!(issuer.user("alice").await.keys.len(), 32);
}
