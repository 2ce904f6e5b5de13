//! What a change of the configuration or of a record ends while a ceremony or a session is under way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::json;
use vouch_issuer_api::{
    enroll::{RegisterKeyRequest, RegistrationChallenge},
    paths,
};

use super::{enrollment::Registrar, refusal::Refusal};
use crate::{
    clock::Clock as _,
    config::Config,
    store::record::UserRecord,
    testing::{
        authenticator::SecurityKey,
        client::Client,
        issuer::{TestIssuer, config},
    },
};

fn reconfigure(issuer: &TestIssuer, change: impl FnOnce(&mut Config)) {
    let mut config = config();
    change(&mut config);
    issuer.issuer.configure(config);
}

fn give_up_the_domain(issuer: &TestIssuer) {
    reconfigure(issuer, |config| config.organization.email_domains = vec!["example.org".parse().unwrap()]);
}

#[tokio::test]
async fn a_person_of_a_domain_that_was_given_up_has_no_session_and_gets_none() {
    let issuer = TestIssuer::new().await;
    let mut key = SecurityKey::unattested();
    let mut client = Client::signed_in(&issuer, "alice", &mut key).await;
    give_up_the_domain(&issuer);
    assert_eq!(client.get(paths::SESSION).await.error(), "session_ended");
    assert_eq!(client.try_sign_in(&mut key).await.error(), "user_disabled");
    assert_eq!(issuer.last_event().1.as_deref(), Some("user_disabled"));
    reconfigure(&issuer, |_| {});
    client.sign_in(&mut key).await;
}

#[tokio::test]
async fn a_person_of_a_domain_that_was_given_up_redeems_no_invite() {
    let issuer = TestIssuer::new().await;
    let client = Client::new(&issuer);
    let code = issuer.invite("alice").await;
    let offer = client.offer(&code).await;
    give_up_the_domain(&issuer);
    assert_eq!(client.post(paths::ENROLL_CHALLENGE, &json!({"code": code})).await.error(), "user_disabled");
    let refused = client.register(paths::ENROLL, &offer, &mut SecurityKey::unattested()).await;
    assert_eq!(refused.error(), "user_disabled");
    assert!(issuer.user("alice").await.keys.is_empty());
}

#[tokio::test]
async fn invites_that_were_handed_out_work_no_more_when_invites_are_switched_off() {
    let issuer = TestIssuer::new().await;
    let client = Client::new(&issuer);
    let code = issuer.invite("alice").await;
    let offer = client.offer(&code).await;
    reconfigure(&issuer, |config| config.enrollment.invites = false);
    let refused = client.post(paths::ENROLL_CHALLENGE, &json!({"code": code})).await;
    assert_eq!((refused.status, refused.error()), (http::StatusCode::FORBIDDEN, "invites_off"));
    assert!(refused.body["hint"].as_str().unwrap().contains("administrator"), "{}", refused.body);
    let refused = client.register(paths::ENROLL, &offer, &mut SecurityKey::unattested()).await;
    assert_eq!(refused.error(), "invites_off");
    // A new invite, which the words for an expired one advise, could not be had either.
    issuer.clock.advance(std::time::Duration::from_secs(86_400));
    assert_eq!(client.post(paths::ENROLL_CHALLENGE, &json!({"code": code})).await.error(), "invites_off");
    assert!(issuer.user("alice").await.keys.is_empty());
}

#[tokio::test]
async fn a_logout_everywhere_ends_the_registration_of_a_further_key_even_for_a_new_session() {
    let issuer = TestIssuer::new().await;
    let mut key = SecurityKey::unattested();
    let mut client = Client::signed_in(&issuer, "alice", &mut key).await;
    let offer: RegistrationChallenge = client.ask_for_key(&mut key).await.read();
    let now = issuer.clock.now();
    issuer.change("alice", |user| user.end_sessions(now)).await;
    client.sign_in(&mut key).await;
    let refused = client.register(paths::KEYS, &offer, &mut SecurityKey::unattested()).await;
    assert_eq!(refused.error(), "invalid_grant");
    assert_eq!(issuer.user("alice").await.keys.len(), 1);
}

/// The record is read, judged, and changed by somebody else before it is written.
#[tokio::test]
async fn what_takes_a_right_away_between_the_check_and_the_write_keeps_a_further_key_out() {
    type End = fn(&mut UserRecord);
    type Expected = fn(&Refusal) -> bool;
    let ends: [(End, Expected); 3] = [
        (|user| user.disabled = true, |refusal| matches!(refusal, Refusal::Disabled)),
        (
            |user| user.end_sessions("2027-01-01T00:00:00Z".parse().unwrap()),
            |refusal| matches!(refusal, Refusal::LoggedOut),
        ),
        (|user| drop(user.keys.remove(0)), |refusal| matches!(refusal, Refusal::PayingKeyRemoved)),
    ];
    for (end, expected) in ends {
        let issuer = TestIssuer::new().await;
        let mut key = SecurityKey::unattested();
        let client = Client::signed_in(&issuer, "alice", &mut key).await;
        let offer: RegistrationChallenge = client.ask_for_key(&mut key).await.read();
        let credential = SecurityKey::unattested().register(&offer.options);
        let request = RegisterKeyRequest { state: offer.state, credential, name: None };

        let (store, now) = (&*issuer.issuer.store, issuer.clock.now());
        let read = issuer.stored("alice").await;
        issuer.change("alice", end).await;
        let changed = issuer.stored("alice").await.version;
        let config = config();
        let secrets = issuer.issuer.secrets.load_full();
        let registrar = Registrar::new(&config, &secrets).unwrap();
        let open = registrar.open_additional_key(&request.state, now).unwrap();
        let refusal = registrar.register(store, read, &open, &request, now).await.unwrap_err();
        assert!(expected(&refusal), "{refusal:?}");
        assert_eq!(issuer.stored("alice").await.version, changed);
    }
}
