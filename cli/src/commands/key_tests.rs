//! `enroll`, `login` and `keys` against a key, a person and an agent in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::VecDeque, sync::Arc};

use jiff::tz::TimeZone;
use vouch_issuer_api::{enroll::KeyInfo, session::SessionInfo};

use super::{desk::Desk, dialogue::Agent, enroll, issuer_choice, keys, login};
use crate::{
    agent::protocol::{AgentStatus, Reply, Request},
    ceremony::tests::{PIN, QUICK, RP, issuer, login_challenge, registration_challenge},
    config::Config,
    error::{Category, Failure},
    prompt::{Notice, scripted::Scripted},
    security_key::fake::{FakeBus, FakeKey},
};

/// An agent that answers in order and remembers what it was asked.
#[derive(Default)]
struct FakeAgent {
    answers: VecDeque<Result<Reply, Failure>>,
    asked: Vec<Request>,
}

impl FakeAgent {
    fn answering(answers: impl IntoIterator<Item = Result<Reply, Failure>>) -> Self {
        Self { answers: answers.into_iter().collect(), asked: Vec::new() }
    }
}

impl Agent for FakeAgent {
    fn call(&mut self, request: Request) -> Result<Reply, Failure> {
        self.asked.push(request);
        self.answers.pop_front().expect("no answer left")
    }
}

fn desk(keys: &[(&str, &Arc<FakeKey>)], person: Scripted) -> Desk {
    Desk::with(Box::new(person), FakeBus::with(keys), QUICK)
}

fn config() -> Config {
    Config { issuer: issuer(), email: Some("alice@example.com".to_owned()), credential_id: None }
}

fn key_info(id: &str, name: &str) -> KeyInfo {
    KeyInfo {
        id: id.to_owned(),
        name: name.to_owned(),
        aaguid: None,
        created_at: "2026-11-21T09:30:00Z".parse().unwrap(),
        last_used_at: None,
        current: false,
        credential_id: "aWQ".to_owned(),
    }
}

fn session() -> SessionInfo {
    SessionInfo {
        user_id: uuid::Uuid::nil(),
        email: "alice@example.com".to_owned(),
        organization: "Example Inc".to_owned(),
        signed_in_at: "2026-11-21T09:42:11Z".parse().unwrap(),
        expires_at: "2026-11-21T17:42:11Z".parse().unwrap(),
        key_id: "9f86d081884c7d65".to_owned(),
        key_name: "YubiKey 5".to_owned(),
    }
}

fn refusal(category: Category) -> Failure {
    Failure::new(category, "the issuer said no.").hint("Ask an administrator.")
}

#[test]
fn enrolling_registers_the_new_credential_under_the_name_given() {
    let key = FakeKey::with_pin(PIN);
    let desk = desk(&[("usb1", &key)], Scripted::pins(&[PIN]));
    let challenge = Reply::Registration(Box::new(registration_challenge(&[])));
    let mut agent = FakeAgent::answering([Ok(challenge), Ok(Reply::Key(key_info("1", "Work")))]);
    let pending = enroll::begin(&mut agent, &desk, &issuer(), "7KQF").unwrap();
    assert_eq!(pending.config(&issuer()).credential_id.as_deref(), Some("Y3JlZGVudGlhbCAx"));
    let enrolled = pending.complete(&mut agent, &issuer(), Some("Work".to_owned())).unwrap();
    assert_eq!(enrolled.outcome.unwrap().name, "Work");
    let [Request::EnrollChallenge { code, .. }, Request::Enroll { registration, .. }] = agent.asked.as_slice() else {
        panic!("{:?}", agent.asked)
    };
    assert_eq!(code, "7KQF");
    assert_eq!((registration.state.as_str(), registration.name.as_deref()), ("sealed", Some("Work")));
    assert_eq!(registration.credential.raw_id, b"credential 1");
}

#[test]
fn a_credential_the_issuer_refuses_is_deleted_from_the_key() {
    let key = FakeKey::with_pin(PIN);
    let desk = desk(&[("usb1", &key)], Scripted::pins(&[PIN]));
    let challenge = Reply::Registration(Box::new(registration_challenge(&[])));
    let mut agent = FakeAgent::answering([Ok(challenge), Err(refusal(Category::Denied))]);
    let pending = enroll::begin(&mut agent, &desk, &issuer(), "7KQF").unwrap();
    let failure = pending.complete(&mut agent, &issuer(), None).err().unwrap();
    assert_eq!(failure, refusal(Category::Denied));
    assert_eq!(key.edit(|state| state.credentials.len()), 0);
}

#[test]
fn a_credential_the_issuer_may_know_stays_on_the_key() {
    let key = FakeKey::with_pin(PIN);
    let desk = desk(&[("usb1", &key)], Scripted::pins(&[PIN]));
    let challenge = Reply::Registration(Box::new(registration_challenge(&[])));
    let mut agent = FakeAgent::answering([Ok(challenge), Err(refusal(Category::Network))]);
    let pending = enroll::begin(&mut agent, &desk, &issuer(), "7KQF").unwrap();
    let enrolled = pending.complete(&mut agent, &issuer(), None).unwrap();
    let failure = enrolled.outcome.unwrap_err();
    assert_eq!(failure.message, "the issuer said no; whether the key was enrolled is not known");
    assert!(failure.hint.unwrap().starts_with("Run: vouch login"));
    assert_eq!(key.edit(|state| state.credentials.len()), 1);
}

#[test]
fn an_invite_that_is_refused_asks_nothing_of_the_key() {
    let key = FakeKey::with_pin(PIN);
    let desk = desk(&[("usb1", &key)], Scripted::default());
    let mut agent = FakeAgent::answering([Err(refusal(Category::Denied))]);
    assert!(enroll::begin(&mut agent, &desk, &issuer(), "7KQF").is_err());
    assert_eq!(key.edit(|state| state.calls.clone()), Vec::<&str>::new());
}

#[test]
fn an_agent_that_dies_before_anything_was_made_is_no_matter_of_signing_in() {
    let key = FakeKey::with_pin(PIN);
    let desk = desk(&[("usb1", &key)], Scripted::default());
    let mut agent = FakeAgent::answering([Err(refusal(Category::NotLoggedIn).hint("Run: vouch login"))]);
    let failure = enroll::begin(&mut agent, &desk, &issuer(), "7KQF").err().unwrap();
    assert_eq!(failure.category, Category::General);
    assert_eq!(failure.hint.as_deref(), Some("Nothing is enrolled yet. Run this command again."));
}

#[test]
fn signing_in_redeems_what_the_key_signed() {
    let key = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com");
    let desk = desk(&[("usb1", &key)], Scripted::pins(&[PIN]));
    let challenge = Reply::LoginChallenge(Box::new(login_challenge(RP, "sealed")));
    let mut agent = FakeAgent::answering([Ok(challenge), Ok(Reply::Session(session()))]);
    let (signed_in, credential_id) = login::log_in(&mut agent, &desk, &config()).unwrap();
    assert_eq!((signed_in, credential_id.as_str()), (session(), "aWQ"));
    let Some(Request::Login { issuer, state, assertion }) = agent.asked.last() else { panic!("{:?}", agent.asked) };
    assert_eq!((issuer.as_str(), state.as_str()), ("https://vouch.example.com", "sealed"));
    assert_eq!(assertion.raw_id, b"id");
}

#[test]
fn a_key_the_issuer_does_not_know_makes_room_for_another() {
    let removed = FakeKey::with_pin(PIN).holds(RP, b"removed", "alice@example.com");
    let other = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com");
    let ports = FakeBus::with(&[("usb1", &removed)]);
    let (bus, inserted) = (Arc::clone(&ports), Arc::clone(&other));
    let person = Scripted::pins(&[PIN, PIN]).reacting(move |notice| {
        if matches!(notice, crate::prompt::Notice::InsertKey(crate::prompt::Wanted::Another)) {
            bus.insert("usb2", &inserted);
        }
    });
    let desk = Desk::with(Box::new(person), ports, QUICK);
    let mut agent = FakeAgent::answering([
        Ok(Reply::LoginChallenge(Box::new(login_challenge(RP, "first")))),
        Ok(Reply::UnknownKey(refusal(Category::Denied))),
        Ok(Reply::LoginChallenge(Box::new(login_challenge(RP, "second")))),
        Ok(Reply::Session(session())),
    ]);
    let (_, credential_id) = login::log_in(&mut agent, &desk, &config()).unwrap();
    assert_eq!(credential_id, "aWQ");
    let Some(Request::Login { state, .. }) = agent.asked.last() else { panic!("{:?}", agent.asked) };
    assert_eq!(state, "second", "a challenge is not answered twice");
}

#[test]
fn without_another_key_it_ends_with_what_the_issuer_said() {
    let key = FakeKey::with_pin(PIN).holds(RP, b"removed", "alice@example.com");
    let desk = desk(&[("usb1", &key)], Scripted::pins(&[PIN]));
    let mut agent = FakeAgent::answering([
        Ok(Reply::LoginChallenge(Box::new(login_challenge(RP, "first")))),
        Ok(Reply::UnknownKey(refusal(Category::Denied))),
        Ok(Reply::LoginChallenge(Box::new(login_challenge(RP, "second")))),
    ]);
    assert_eq!(login::log_in(&mut agent, &desk, &config()).unwrap_err(), refusal(Category::Denied));
}

#[test]
fn the_end_of_the_session_is_said_in_local_time() {
    let now = "2026-11-21T09:42:11Z".parse().unwrap();
    assert_eq!(login::welcome(&session(), now, &TimeZone::UTC), "Signed in as alice@example.com until 17:42 (8 h).");
    let later = "2026-11-21T11:30:00Z".parse().unwrap();
    assert_eq!(
        login::already(&session(), later, &TimeZone::UTC),
        "You are signed in as alice@example.com until 17:42 (6 h 12 min left). To renew: vouch login --force"
    );
}

#[test]
fn a_further_key_needs_a_tap_of_one_the_person_has() {
    let old = FakeKey::with_pin(PIN).holds(RP, b"old", "alice@example.com");
    let new = FakeKey::with_pin(PIN);
    let ports = FakeBus::with(&[("usb1", &old)]);
    let (bus, other) = (Arc::clone(&ports), Arc::clone(&new));
    let person = Scripted::pins(&[PIN, PIN]).reacting(move |notice| {
        if matches!(notice, crate::prompt::Notice::InsertKey(crate::prompt::Wanted::New)) {
            bus.insert("usb2", &other);
        }
    });
    let desk = Desk::with(Box::new(person), ports, QUICK);
    let mut challenge = registration_challenge(&[b"old"]);
    challenge.first_key = false;
    let mut agent = FakeAgent::answering([
        Ok(Reply::LoginChallenge(Box::new(login_challenge(RP, "login state")))),
        Ok(Reply::Registration(Box::new(challenge))),
        Ok(Reply::Key(key_info("2", "Spare"))),
    ]);
    let added = keys::add(&mut agent, &desk, &config(), Some("Spare".to_owned())).unwrap();
    assert_eq!(added.name, "Spare");
    let Request::AddKeyChallenge(proof) = &agent.asked[1] else { panic!("{:?}", agent.asked) };
    assert_eq!((proof.state.as_str(), proof.assertion.raw_id.as_slice()), ("login state", &b"old"[..]));
    assert!(matches!(agent.asked[2], Request::AddKey(_)));
    assert_eq!(new.edit(|state| state.credentials.len()), 1);
}

#[test]
fn adding_a_key_without_a_session_says_so_before_any_tap() {
    let status = |issuer: Option<&str>, session| {
        Reply::Status(Box::new(AgentStatus {
            version: "0.1.0".to_owned(),
            pid: 1,
            started_at: "2026-11-21T09:30:00Z".parse().unwrap(),
            issuer: issuer.map(str::to_owned),
            session,
            ended: None,
            credentials: Vec::new(),
            clock_offset_ms: None,
            overrides: Vec::new(),
        }))
    };
    for (at, session, is_there) in [
        (None, None, false),
        (Some("https://other.example"), Some(session()), false),
        (Some("https://vouch.example.com"), Some(session()), true),
    ] {
        let mut agent = FakeAgent::answering([Ok(status(at, session))]);
        let outcome = keys::require_session(&mut agent, &config());
        assert_eq!(outcome.is_ok(), is_there, "{at:?}");
    }
}

const CODE: &str = "7KQF-29MD-W3XA";

#[test]
fn a_code_that_was_mistyped_is_asked_for_again_before_any_key_is() {
    let key = FakeKey::with_pin("123456");
    let person = Scripted::pins(&["123456"]).typing(&["7KQF", "AAAA-AAAA-AAAA", CODE]);
    let desk = desk(&[("usb1", &key)], person);
    let mut agent = FakeAgent::answering([
        Ok(Reply::UnknownInvite(refusal(Category::Denied))),
        Ok(Reply::Registration(Box::new(registration_challenge(&[])))),
    ]);
    assert!(enroll::begin_with_typed_code(&mut agent, &desk, &issuer()).is_ok());
    assert_eq!(agent.asked.len(), 2, "what is no code is not sent");
}

#[test]
fn who_mistypes_a_code_three_times_is_told_why() {
    let desk = desk(&[], Scripted::default().typing(&[CODE, CODE, "x"]));
    let unknown = || Ok(Reply::UnknownInvite(refusal(Category::Denied)));
    let mut agent = FakeAgent::answering([unknown(), unknown()]);
    let failure = enroll::begin_with_typed_code(&mut agent, &desk, &issuer()).err().unwrap();
    assert!(failure.message.starts_with("an invite code has"), "{failure}");
}

#[test]
fn an_invite_code_comes_from_its_option_else_from_a_script_else_from_the_person() {
    let code = |given, script: Option<&str>| {
        enroll::given_code(given, script.map(str::as_bytes)).map(|code| code.map(|code| code.to_string()))
    };
    assert_eq!(code(Some(CODE), Some("other\n")).unwrap().as_deref(), Some(CODE));
    assert_eq!(code(None, Some(" 7kqf29mdw3xa \nmore\n")).unwrap().as_deref(), Some("7kqf29mdw3xa"));
    assert_eq!(code(None, Some("")).unwrap(), None, "an empty standard input");
    assert_eq!(code(None, None).unwrap(), None);
    assert_eq!(code(Some("7KQF"), None).unwrap_err().category, Category::Usage);
}

#[test]
fn another_issuer_takes_the_place_of_the_configured_one_only_when_the_person_agrees() {
    let person = Scripted::default().confirming(&[true, false]);
    issuer_choice::agree(&person, &config()).unwrap();
    let failure = issuer_choice::agree(&person, &config()).unwrap_err();
    assert_eq!(failure.category, Category::Configuration);
    assert!(failure.message.contains("stays set up for https://vouch.example.com"), "{failure}");
    let named =
        Notice::OtherIssuer { issuer: "https://vouch.example.com".into(), email: Some("alice@example.com".into()) };
    assert!(person.was_told(&named));
}

#[test]
fn a_key_is_removed_with_a_tap_of_one_the_person_has() {
    let key = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com");
    let desk = desk(&[("usb1", &key)], Scripted::pins(&[PIN]));
    let challenge = Reply::LoginChallenge(Box::new(login_challenge(RP, "login state")));
    let mut agent = FakeAgent::answering([Ok(challenge), Ok(Reply::Done)]);
    keys::remove(&mut agent, &desk, &config(), &key_info("00ff", "Lost"), true).unwrap();
    let Request::RemoveKey { id, removal } = &agent.asked[1] else { panic!("{:?}", agent.asked) };
    assert_eq!((id.as_str(), removal.state.as_str(), removal.allow_last), ("00ff", "login state", true));
    assert_eq!(removal.assertion.raw_id.as_slice(), &b"id"[..]);
}

#[test]
fn nobody_touches_a_key_to_be_told_that_it_is_the_last() {
    let only = [key_info("00ff", "Work")];
    assert_eq!(keys::removable(&only, "00ff", false).unwrap_err().category, Category::Denied);
    assert_eq!(keys::removable(&only, "00ff", true).unwrap().id, "00ff");
    let two = [key_info("00ff", "Work"), key_info("11ff", "Spare")];
    assert_eq!(keys::removable(&two, "Spare", false).unwrap().id, "11ff");
}

/// The key `id` is removed with one key plugged in, and the person answers.
fn cleaned_up(key: &Arc<FakeKey>, person: Scripted) -> String {
    keys::clean_up(Some(&desk(&[("usb1", key)], person)), &key_info("1", "Work"))
}

#[test]
fn the_credential_of_a_removed_key_is_deleted_from_it_when_the_person_wants_that() {
    let key = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com").holds(RP, b"other", "bob@example.com");
    let said = cleaned_up(&key, Scripted::pins(&[PIN]).confirming(&[true]));
    assert_eq!(said, "Its credential is deleted from the security key as well.");
    assert_eq!(key.edit(|state| state.credentials.iter().map(|c| c.id.clone()).collect::<Vec<_>>()), [b"other"]);
}

#[test]
fn a_credential_that_stays_on_the_key_is_named_with_the_command_that_deletes_it() {
    let stays = "to delete it: ykman fido credentials delete 6964";
    let key = FakeKey::with_pin(PIN).holds(RP, b"id", "alice@example.com");
    let said = cleaned_up(&key, Scripted::default().confirming(&[false]));
    assert!(said.ends_with(stays), "{said}");
    assert_eq!(key.edit(|state| (state.credentials.len(), state.calls.clone())), (1, Vec::new()), "nothing was asked");

    key.edit(|state| state.can_delete = false);
    let said = cleaned_up(&key, Scripted::pins(&[PIN]).confirming(&[true]));
    assert!(said.contains("cannot do what is needed") && said.ends_with(stays), "{said}");

    assert!(keys::clean_up(None, &key_info("1", "Work")).ends_with(stays));
}

#[test]
fn a_key_that_does_not_hold_the_removed_credential_keeps_what_it_has() {
    let key = FakeKey::with_pin(PIN).holds(RP, b"other", "alice@example.com");
    let said = cleaned_up(&key, Scripted::pins(&[PIN]).confirming(&[true]));
    assert!(said.contains("no security key was inserted") && said.contains("ykman fido credentials delete"), "{said}");
    assert_eq!(key.edit(|state| state.credentials.len()), 1);
}

#[test]
fn a_key_of_another_model_is_not_asked_for_its_pin() {
    let desk = desk(&[("usb1", &FakeKey::with_pin("123456"))], Scripted::default());
    assert!(desk.has_key_of_model(Some(crate::security_key::fake::AAGUID)) && desk.has_key_of_model(None));
    assert!(!desk.has_key_of_model(Some(uuid::Uuid::from_u128(1))));
}

#[test]
fn a_key_is_found_by_its_id_the_start_of_it_or_its_name() {
    let mine = [
        key_info("aa11000000000000", "Work"),
        key_info("aa22000000000000", "aa11000000000000"),
        key_info("bb33000000000000", "Home"),
    ];
    let id = |wanted: &str| keys::find(&mine, wanted).map(|key| key.id.clone());
    assert_eq!(id("bb").unwrap(), "bb33000000000000");
    assert_eq!(id("BB33").unwrap(), "bb33000000000000");
    assert_eq!(id("Work").unwrap(), "aa11000000000000");
    assert_eq!(id("aa11000000000000").unwrap(), "aa11000000000000", "a whole id is never a name");
    let failure = id("aa").unwrap_err();
    assert_eq!(failure.category, Category::Usage);
    assert!(failure.message.contains("aa11000000000000 or aa22000000000000"), "{failure}");
    assert!(id("").is_err() && id("cc").is_err());
}

#[test]
fn a_name_nobody_could_read_is_refused_before_the_issuer_is_asked() {
    assert_eq!(keys::valid_name("  Work key ").unwrap(), "Work key");
    for name in ["", "   ", "a\u{7}b", &"x".repeat(65)] {
        assert_eq!(keys::valid_name(name).unwrap_err().category, Category::Usage, "{name:?}");
    }
}

#[test]
fn the_list_is_aligned_and_marks_the_key_of_the_session() {
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let mut first = key_info("aa11000000000000", "YubiKey 5C NFC");
    (first.current, first.last_used_at) = (true, Some("2026-11-21T11:30:00Z".parse().unwrap()));
    let text = keys::rendered(&[first, key_info("bb33000000000000", "é")], now, &TimeZone::UTC);
    assert_eq!(
        text,
        "ID                NAME            ENROLLED  LAST USED\n\
         aa11000000000000  YubiKey 5C NFC  09:30     30 minutes ago (this session)\n\
         bb33000000000000  é               09:30     never"
    );
}
