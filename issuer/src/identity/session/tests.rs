#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::{AUDIENCE, Ended, SessionClaims, TYPE, TokenError};
use crate::{
    store::{
        conformance::{key, person},
        record::{EnrolledKey, UserRecord},
    },
    testing::{
        authenticator::ISSUER,
        issuer::{TestIssuer, config},
    },
};

const EIGHT_HOURS: Duration = Duration::from_secs(8 * 3600);

fn began_at() -> Timestamp {
    "2026-11-21T09:00:00.25Z".parse().unwrap()
}

fn alice() -> UserRecord {
    UserRecord { keys: vec![key("a2V5LW9uZQ")], ..person("alice") }
}

fn claims(user: &UserRecord) -> SessionClaims {
    SessionClaims::begin(user.id, &user.keys[0].id, "thumbprint".to_owned(), began_at(), EIGHT_HOURS)
}

/// In the organisation of the tests.
fn check<'a>(session: &SessionClaims, user: &'a UserRecord) -> Result<&'a EnrolledKey, Ended> {
    super::check(session, user, &config().organization)
}

/// Signs whatever it is told, by the issuer's active key.
struct Signing(TestIssuer);

impl Signing {
    async fn new() -> Self {
        Self(TestIssuer::new().await)
    }

    fn sign(&self, typ: Option<&str>, claims: &Value) -> String {
        self.0.issuer.keys.signer().unwrap().sign_jwt(typ, claims).unwrap()
    }

    fn verify_at(&self, token: &str, now: Timestamp) -> Result<SessionClaims, TokenError> {
        SessionClaims::verify(token, ISSUER, |kid| self.0.issuer.keys.verifying_key(kid), EIGHT_HOURS, now)
    }

    fn verify(&self, token: &str) -> Result<SessionClaims, TokenError> {
        self.verify_at(token, began_at())
    }
}

/// Claims that are right in every respect.
fn right() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": alice().id, "iat": began_at().as_second(),
        "exp": began_at().as_second() + 60, "jti": alice().id, "cnf": {"jkt": "thumbprint"}, "key": "key",
        "began_at": began_at(),
    })
}

#[tokio::test]
async fn a_token_says_what_it_was_made_from() {
    let signing = Signing::new().await;
    let made = claims(&alice());
    let token = made.sign(&signing.0.issuer.keys.signer().unwrap(), ISSUER).unwrap();
    assert_eq!(signing.verify(&token), Ok(made));
    assert!(signing.verify(&signing.sign(Some(TYPE), &right())).is_ok());
}

#[tokio::test]
async fn refuses_every_other_kind_of_token_by_the_same_key() {
    let signing = Signing::new().await;
    for typ in [None, Some("JWT"), Some("at+jwt"), Some("dpop+jwt"), Some("VOUCH-SESSION+JWT")] {
        assert_eq!(signing.verify(&signing.sign(typ, &right())), Err(TokenError::Foreign), "{typ:?}");
    }
}

#[tokio::test]
async fn refuses_another_issuer_another_audience_and_missing_claims() {
    let signing = Signing::new().await;
    let wrong = [
        ("iss", json!("https://other.example.com")),
        ("iss", json!("https://vouch.example.com/")),
        ("aud", json!(ISSUER)),
        ("aud", json!([AUDIENCE])),
        ("aud", json!([AUDIENCE, ISSUER])),
        ("sub", json!("alice@example.com")),
        ("cnf", json!({})),
        ("exp", json!("tomorrow")),
    ];
    for (claim, value) in wrong {
        let mut claims = right();
        claims[claim] = value;
        assert_eq!(signing.verify(&signing.sign(Some(TYPE), &claims)), Err(TokenError::Foreign), "{claims}");
    }
    for claim in ["iss", "aud", "sub", "exp", "cnf", "key", "began_at"] {
        let mut claims = right();
        claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(signing.verify(&signing.sign(Some(TYPE), &claims)), Err(TokenError::Foreign), "{claim}");
    }
}

#[tokio::test]
async fn refuses_an_altered_token_and_one_by_a_key_that_is_not_published() {
    let (signing, stranger) = (Signing::new().await, Signing::new().await);
    let token = signing.sign(Some(TYPE), &right());
    assert_eq!(stranger.verify(&token), Err(TokenError::UnknownKey));
    let [header, _, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let mut other = right();
    other["key"] = json!("another");
    let spliced = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(other.to_string()));
    assert_eq!(signing.verify(&spliced), Err(TokenError::Signature));
}

#[tokio::test]
async fn refuses_another_algorithm_whatever_the_header_claims() {
    let signing = Signing::new().await;
    let kid = signing.0.issuer.keys.signer().unwrap().kid().to_string();
    for algorithm in ["none", "HS256", "RS256", "EdDSA"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": algorithm, "kid": kid, "typ": TYPE}).to_string());
        let token = format!("{header}.{}.AAAA", URL_SAFE_NO_PAD.encode(right().to_string()));
        assert_eq!(signing.verify(&token), Err(TokenError::Foreign), "{algorithm}");
    }
    for token in ["", "a.b.c", "..", &"A".repeat(5000)] {
        assert_eq!(signing.verify(token), Err(TokenError::Foreign));
    }
}

#[tokio::test]
async fn a_session_ends_at_its_time_and_sooner_when_sessions_become_shorter() {
    let signing = Signing::new().await;
    let token = claims(&alice()).sign(&signing.0.issuer.keys.signer().unwrap(), ISSUER).unwrap();
    let end = Timestamp::from_second(began_at().as_second()).unwrap() + 8.hours();
    assert!(signing.verify_at(&token, end - 1.nanosecond()).is_ok());
    assert_eq!(signing.verify_at(&token, end), Err(TokenError::Expired));
    let shorter = |now| {
        let published = |kid: &str| signing.0.issuer.keys.verifying_key(kid);
        SessionClaims::verify(&token, ISSUER, published, EIGHT_HOURS / 2, now).map(|claims| claims.expires_at)
    };
    assert_eq!(shorter(end - 4.hours()), Err(TokenError::Expired));
    assert_eq!(shorter(end - 5.hours()), Ok(end - 4.hours()));
}

#[test]
fn a_session_is_over_when_its_person_is_disabled_or_its_key_removed() {
    let user = alice();
    let session = claims(&user);
    assert_eq!(check(&session, &user).unwrap().id, user.keys[0].id);
    assert_eq!(check(&session, &UserRecord { disabled: true, ..user.clone() }).unwrap_err(), Ended::Disabled);
    assert_eq!(check(&session, &UserRecord { keys: vec![key("b3RoZXI")], ..user }).unwrap_err(), Ended::KeyRemoved);
    assert_eq!(check(&session, &person("bob")).unwrap_err(), Ended::UserGone);
}

#[test]
fn a_session_is_over_when_the_organization_gives_up_the_domain_of_its_person() {
    let user = alice();
    let mut organization = config().organization;
    assert!(super::check(&claims(&user), &user, &organization).is_ok());
    organization.email_domains = vec!["example.org".parse().unwrap()];
    assert_eq!(super::check(&claims(&user), &user, &organization).unwrap_err(), Ended::ForeignDomain);
}

#[test]
fn a_logout_ends_what_began_before_and_nothing_that_begins_after_in_the_same_instant() {
    let mut user = alice();
    let before = claims(&user);
    user.keys[0].last_used_at = Some(before.began_at);
    user.end_sessions(before.began_at);
    assert_eq!(check(&before, &user).unwrap_err(), Ended::LoggedOut);
    let after = SessionClaims { began_at: before.began_at.max(user.sessions_valid_from), ..before };
    assert!(check(&after, &user).is_ok());
}

#[test]
fn a_logout_by_a_replica_whose_clock_is_behind_ends_the_sessions_all_the_same() {
    let mut user = alice();
    let session = claims(&user);
    user.keys[0].last_used_at = Some(session.began_at);
    user.end_sessions(session.began_at - 2.seconds());
    assert_eq!(check(&session, &user).unwrap_err(), Ended::LoggedOut);
    let first = user.sessions_valid_from;
    user.end_sessions(first - 1.hour());
    assert!(user.sessions_valid_from >= first, "a logout is never taken back");
}
