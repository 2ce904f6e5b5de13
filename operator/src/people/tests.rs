//! Who is who, and that nobody is written about for nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use jiff::Timestamp;
use kube::runtime::watcher::Event;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::*;
use crate::{
    apply::OptionalApis,
    events::Events,
    failure::Retries,
    lease::{LeaseHeld, held::read_only},
    metrics::Metrics,
    testing::ApiServer,
};

const PEOPLE: &str = "/apis/vouch.sh/v1alpha1/namespaces/vouch/vouchusers";

fn object(name: &str, email: &str, second: i64) -> Value {
    json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchUser",
        "metadata": {
            "name": name, "namespace": "vouch", "uid": uid(name), "generation": 1,
            "creationTimestamp": Timestamp::from_second(1_700_000_000 + second).unwrap().to_string(),
        },
        "spec": {"email": email},
    })
}

/// Its own for every name, and in the order of the names.
fn uid(name: &str) -> String {
    let mut bytes = [0_u8; 16];
    bytes.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn person(value: Value) -> Person {
    serde_json::from_value(value).unwrap()
}

fn issuer(name: &str, domains: &[&str]) -> VouchIssuer {
    serde_json::from_value(json!({
        "apiVersion": "vouch.sh/v1alpha1", "kind": "VouchIssuer",
        "metadata": {"name": name, "namespace": "vouch", "uid": uid(name), "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"url": "https://vouch.example.com", "organization": {"name": "Example", "emailDomains": domains}},
    }))
    .unwrap()
}

fn directory(people: &[Value]) -> Directory {
    let mut directory = Directory::default();
    for event in [Event::Init, Event::InitApply(issuer("login", &["example.com"])), Event::InitDone] {
        directory.take_issuer(event);
    }
    directory.take(Event::Init);
    people.iter().for_each(|value| drop(directory.take(Event::InitApply(person(value.clone())))));
    let touched = directory.take(Event::InitDone);
    assert_eq!(touched.len(), people.len());
    directory
}

fn said(directory: &Directory, value: &Value) -> String {
    let finding = directory.finding(&person(value.clone())).unwrap();
    format!("{} {}", finding.truth.as_str(), finding.reason)
}

fn names(touched: &[ObjectRef<Person>]) -> Vec<&str> {
    let mut names: Vec<&str> = touched.iter().map(|touched| touched.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// With an id and security keys, each enrolled at a second.
fn enrolled(mut value: Value, id: Option<&str>, keys: &[(&str, i64)]) -> Value {
    let keys: Vec<Value> = keys
        .iter()
        .map(|(id, second)| {
            json!({"id": id, "credentialId": id, "name": "key", "attested": false, "counter": 0, "credential": "{}",
                "createdAt": Timestamp::from_second(1_700_000_000 + second).unwrap().to_string()})
        })
        .collect();
    value["status"] = json!({"id": id, "keys": keys});
    value
}

/// As if it could be read: made-up keys cannot.
fn readable(value: Value) -> Person {
    let mut person = person(value);
    person.known.as_mut().unwrap().damage = None;
    person
}

#[test]
fn a_person_of_the_organization_is_ready() {
    let alice = object("alice", "alice@example.com", 0);
    assert_eq!(said(&directory(std::slice::from_ref(&alice)), &alice), "True AsDeclared");
}

#[test]
fn nothing_is_said_before_everybody_and_their_issuer_are_known() {
    let alice = person(object("alice", "alice@example.com", 0));
    let mut directory = Directory::default();
    assert_eq!(directory.finding(&alice), None);
    directory.take(Event::Init);
    directory.take(Event::InitApply(alice.clone()));
    assert_eq!(names(&directory.take(Event::InitDone)), Vec::<&str>::new());
    assert_eq!(directory.finding(&alice), None);
    directory.take_issuer(Event::Init);
    assert_eq!(names(&directory.take_issuer(Event::InitDone)), ["alice"]);
    assert_eq!(directory.finding(&alice).unwrap().reason.as_str(), "NoIssuer");
}

#[test]
fn an_address_belongs_to_the_older_object_then_to_the_smaller_uid() {
    let (b, a, c) =
        (object("b", "alice@example.com", 0), object("a", "alice@example.com", 1), object("c", "alice@example.com", 0));
    let directory = directory(&[a.clone(), c.clone(), b.clone()]);
    assert_eq!(said(&directory, &b), "True AsDeclared");
    for other in [a, c] {
        assert_eq!(said(&directory, &other), "False EmailTaken");
        let message = directory.finding(&person(other)).unwrap().message;
        assert_eq!(message, "VouchUser b is older and has the address alice@example.com; delete one of the two.");
    }
}

#[test]
fn one_address_in_two_namespaces_is_two_people() {
    let here = object("alice", "alice@example.com", 0);
    let mut there = object("alice", "alice@example.com", 1);
    there["metadata"]["namespace"] = json!("other");
    let directory = directory(&[here.clone(), there.clone()]);
    assert_eq!(said(&directory, &here), "True AsDeclared");
    assert_eq!(said(&directory, &there), "False NoIssuer");
}

#[test]
fn an_address_passes_on_when_its_holder_is_deleted() {
    let (old, young) = (object("old", "alice@example.com", 0), object("young", "alice@example.com", 1));
    let mut directory = directory(&[old.clone(), young.clone()]);
    assert_eq!(names(&directory.take(Event::Delete(person(old)))), ["young"]);
    assert_eq!(said(&directory, &young), "True AsDeclared");
}

#[test]
fn somebody_who_vanished_while_nobody_looked_is_gone() {
    let (old, young) = (object("old", "alice@example.com", 0), object("young", "alice@example.com", 1));
    let mut directory = directory(&[old, young.clone()]);
    directory.take(Event::Init);
    directory.take(Event::InitApply(person(young.clone())));
    assert_eq!(said(&directory, &young), "False EmailTaken", "until the list is complete");
    assert_eq!(names(&directory.take(Event::InitDone)), ["young"]);
    assert_eq!(said(&directory, &young), "True AsDeclared");
}

#[test]
fn a_copy_of_an_object_is_told_by_its_id_and_its_keys() {
    let id = "11111111-2222-4333-8444-555555555555";
    let first = enrolled(object("first", "alice@example.com", 5), Some(id), &[("k", 9)]);
    let copy = enrolled(object("copy", "bob@example.com", 7), Some(id), &[]);
    let stolen = enrolled(object("stolen", "carol@example.com", 0), None, &[("k", 10)]);
    let directory = directory(&[first.clone(), copy.clone(), stolen.clone()]);
    let said = |value: &Value| directory.finding(&readable(value.clone())).unwrap().reason.as_str();
    assert_eq!(said(&first), "AsDeclared");
    assert_eq!(said(&copy), "DuplicateId");
    assert_eq!(said(&stolen), "DuplicateKey", "whoever enrolled it first has it, however old the object is");
}

#[test]
fn nothing_counts_in_an_object_without_its_address() {
    let holder = object("holder", "alice@example.com", 0);
    let nobody = enrolled(object("nobody", "alice@example.com", 1), None, &[("k", 0)]);
    let bob = enrolled(object("bob", "bob@example.com", 2), None, &[("k", 5)]);
    let mut directory = directory(&[holder.clone(), nobody, bob.clone()]);
    let said = |directory: &Directory| directory.finding(&readable(bob.clone())).unwrap().reason.as_str();
    assert_eq!(said(&directory), "AsDeclared");
    let touched = directory.take(Event::Delete(person(holder)));
    assert_eq!(
        names(&touched),
        ["bob", "nobody"],
        "whoever is next to somebody who gets the address is looked at, too"
    );
    assert_eq!(said(&directory), "DuplicateKey");
}

#[test]
fn an_object_that_cannot_be_read_is_named_and_hides_nobody() {
    for (status, word) in [
        (json!({"id": "7"}), "UUID"),
        (json!({"keys": "none"}), "status: "),
        (json!({"keyCount": -1}), "status: invalid value: integer `-1`, expected u32."),
        (
            json!({"keys": [{"id": "k", "credentialId": "k", "name": "key", "attested": false, "counter": 0,
                "createdAt": "2026-01-01T00:00:00Z", "credential": "{}"}]}),
            "missing field",
        ),
    ] {
        let mut alice = object("alice", "alice@example.com", 0);
        alice["status"] = status;
        let bob = object("bob", "bob@example.com", 0);
        let directory = directory(&[alice.clone(), bob.clone()]);
        let finding = directory.finding(&person(alice)).unwrap();
        assert_eq!(finding.reason.as_str(), "StatusCorrupt");
        assert!(finding.message.contains(word), "{}", finding.message);
        assert_eq!(said(&directory, &bob), "True AsDeclared");
    }
}

#[test]
fn an_object_that_is_being_deleted_has_nothing_any_more() {
    let (mut old, young) = (object("old", "alice@example.com", 0), object("young", "alice@example.com", 1));
    let mut directory = directory(&[old.clone(), young.clone()]);
    old["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(names(&directory.take(Event::Apply(person(old.clone())))), ["old", "young"]);
    assert_eq!(said(&directory, &young), "True AsDeclared");
    assert_eq!(directory.finding(&person(old)), None);
}

#[test]
fn an_id_is_the_same_in_every_spelling() {
    let id = "AAAAAAAA-2222-4333-8444-555555555555";
    let first = enrolled(object("first", "alice@example.com", 5), Some(id), &[]);
    let copy = enrolled(object("copy", "bob@example.com", 7), Some(&id.to_lowercase()), &[]);
    let directory = directory(&[first.clone(), copy.clone()]);
    assert_eq!(said(&directory, &first), "True AsDeclared");
    assert_eq!(said(&directory, &copy), "False DuplicateId");
}

#[test]
fn a_subdomain_is_a_domain_of_its_own() {
    for email in ["alice@example.org", "alice@sub.example.com", "alice@notexample.com"] {
        let alice = object("alice", email, 0);
        let directory = directory(std::slice::from_ref(&alice));
        assert_eq!(said(&directory, &alice), "False OutsideOrganization", "{email}");
    }
}

#[test]
fn everybody_of_a_namespace_is_looked_at_anew_when_its_domains_change_and_not_otherwise() {
    let (alice, bob) = (object("alice", "alice@example.com", 0), object("bob", "bob@example.org", 0));
    let mut elsewhere = object("carol", "carol@example.com", 0);
    elsewhere["metadata"]["namespace"] = json!("other");
    let mut directory = directory(&[alice, bob.clone(), elsewhere]);
    assert_eq!(names(&directory.take_issuer(Event::Apply(issuer("login", &["example.com"])))), Vec::<&str>::new());
    let touched = directory.take_issuer(Event::Apply(issuer("login", &["example.com", "example.org"])));
    assert_eq!(names(&touched), ["alice", "bob"]);
    assert_eq!(said(&directory, &bob), "True AsDeclared");
    let mut leaving = issuer("login", &["example.com"]);
    leaving.metadata.deletion_timestamp = leaving.metadata.creation_timestamp.clone();
    assert_eq!(names(&directory.take_issuer(Event::Apply(leaving))), ["alice", "bob"]);
    assert_eq!(said(&directory, &bob), "False NoIssuer");
}

#[test]
fn the_issuer_that_has_the_namespace_decides() {
    let alice = object("alice", "alice@example.org", 0);
    let mut directory = directory(std::slice::from_ref(&alice));
    let mut younger = issuer("a", &["example.org"]);
    younger.metadata.creation_timestamp.as_mut().unwrap().0 = Timestamp::from_second(1_800_000_000).unwrap();
    assert_eq!(names(&directory.take_issuer(Event::Apply(younger))), Vec::<&str>::new());
    assert_eq!(said(&directory, &alice), "False OutsideOrganization");
    assert_eq!(names(&directory.take_issuer(Event::Delete(issuer("login", &[])))), ["alice"]);
    assert_eq!(said(&directory, &alice), "True AsDeclared");
}

#[test]
fn a_login_touches_nobody_else() {
    let alice = object("alice", "alice@example.com", 0);
    let mut directory = directory(&[alice.clone(), object("bob", "alice@example.com", 1)]);
    let mut after = alice;
    after["metadata"]["resourceVersion"] = json!("99");
    after["status"] = json!({"usedChallenges": [{"digest": "d", "expiresAt": "2026-01-01T00:00:00.5Z"}]});
    assert_eq!(names(&directory.take(Event::Apply(person(after)))), ["alice"]);
}

struct World {
    server: ApiServer,
    context: Arc<Context>,
    directory: SharedDirectory,
}

impl World {
    fn new(people: &[Value]) -> Self {
        let server = ApiServer::default();
        let held = LeaseHeld::for_tests(server.client());
        let context = Context {
            reader: read_only(server.client()),
            events: Events::new(&held, "operator"),
            held,
            metrics: Arc::new(Metrics::new()),
            apis: watch::Sender::new(OptionalApis::default()).subscribe(),
            retries: Retries::default(),
            image: "vouch-issuer:1".to_owned(),
            now: || Timestamp::from_second(1_800_000_000).unwrap(),
            jitter: || 0.0,
        };
        for value in people {
            server.put(&format!("{PEOPLE}/{}", value["metadata"]["name"].as_str().unwrap()), value.clone());
        }
        let directory = SharedDirectory(Arc::new(Mutex::new(directory(people))));
        Self { server, context: Arc::new(context), directory }
    }

    async fn pass(&self, name: &str) -> Result<Action, StatusError> {
        let person = person(self.server.get(&format!("{PEOPLE}/{name}")).unwrap());
        self.directory.lock().take(Event::Apply(person.clone()));
        reconcile(Arc::new(person), Arc::clone(&self.context), self.directory.clone()).await
    }

    fn status(&self, name: &str) -> Value {
        self.server.get(&format!("{PEOPLE}/{name}")).unwrap()["status"].clone()
    }
}

#[tokio::test]
async fn a_person_is_written_about_once_and_asked_about_never() {
    let world = World::new(&[object("alice", "alice@example.com", 0)]);
    world.pass("alice").await.unwrap();
    assert_eq!(world.server.writes(), [format!("PATCH {PEOPLE}/alice/status")], "and no event");
    assert_eq!(world.status("alice")["conditions"][0]["reason"], "AsDeclared");
    world.pass("alice").await.unwrap();
    assert_eq!(world.server.calls(), []);
}

#[tokio::test]
async fn what_the_issuer_keeps_in_the_status_is_left_to_it() {
    let mut alice = object("alice", "alice@example.com", 0);
    alice["status"] = json!({"id": uid("alice"), "keyCount": 0, "sessionsValidFrom": "2026-01-01T00:00:00.123456Z"});
    let world = World::new(&[alice.clone()]);
    world.pass("alice").await.unwrap();
    let mut status = world.status("alice");
    let members = status.as_object_mut().unwrap();
    members.remove("conditions").unwrap();
    assert_eq!(members.remove("observedGeneration"), Some(json!(1)));
    assert_eq!(status, alice["status"]);
}

#[tokio::test]
async fn somebody_who_is_ignored_is_told_so_once() {
    let world = World::new(&[object("a", "alice@example.com", 0), object("b", "alice@example.com", 1)]);
    world.pass("b").await.unwrap();
    let events: Vec<String> = world.server.paths().into_iter().filter(|path| path.contains("/events/")).collect();
    assert_eq!(events.len(), 1);
    assert_eq!(world.server.get(&events[0]).unwrap()["reason"], "EmailTaken");
    world.server.calls();
    world.pass("b").await.unwrap();
    assert_eq!(world.server.calls(), []);
}

#[tokio::test]
async fn a_login_in_between_is_not_overwritten() {
    let world = World::new(&[object("alice", "alice@example.com", 0)]);
    let stale = person(world.server.get(&format!("{PEOPLE}/alice")).unwrap());
    let mut after = world.server.get(&format!("{PEOPLE}/alice")).unwrap();
    after["status"] = json!({"usedChallenges": [{"digest": "d", "expiresAt": "2026-01-01T00:00:00Z"}]});
    world.server.put(&format!("{PEOPLE}/alice"), after);
    let error = reconcile(Arc::new(stale), Arc::clone(&world.context), world.directory.clone()).await.unwrap_err();
    assert_eq!(status_category(&error), Category::Conflict);
    world.pass("alice").await.unwrap();
    assert_eq!(world.status("alice")["usedChallenges"][0]["digest"], "d");
}

#[test]
fn ten_thousand_people_cost_as_many_look_ups_and_little_memory() {
    let mut directory = directory(&[]);
    directory.take(Event::Init);
    for number in 0..10_000 {
        let name = format!("p{number}");
        directory.take(Event::InitApply(person(object(&name, &format!("{name}@example.com"), 0))));
    }
    assert_eq!(directory.take(Event::InitDone).len(), 10_000);
    let started = std::time::Instant::now();
    for number in 0..10_000 {
        let name = format!("p{number}");
        let person = person(object(&name, &format!("{name}@example.com"), 0));
        assert_eq!(directory.take(Event::Apply(person)).len(), 1);
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(size_of::<Person>() < 1024);
}

proptest! {
    /// Whatever happens in whatever order, what is said of a person is what would be said if everything were read anew.
    #[test]
    fn the_directory_forgets_nothing_and_makes_nothing_up(
        events in prop::collection::vec((0..4_usize, 0..3_usize, 0..3_i64, 0..3_usize, any::<bool>()), 1..40),
    ) {
        let mut directory = directory(&[]);
        let mut people: std::collections::BTreeMap<String, Value> = std::collections::BTreeMap::new();
        for (name, email, second, id, delete) in events {
            let name = format!("p{name}");
            if delete {
                if let Some(value) = people.remove(&name) {
                    directory.take(Event::Delete(person(value)));
                }
            } else {
                let keys: &[(&str, i64)] = if id == 0 { &[("k", 1)] } else { &[] };
                let object = object(&name, &format!("e{email}@example.com"), second);
                let value = enrolled(object, Some(&uid(&format!("i{id}"))), keys);
                people.insert(name, value.clone());
                directory.take(Event::Apply(person(value)));
            }
        }
        let values: Vec<Value> = people.values().cloned().collect();
        let anew = super::tests::directory(&values);
        for value in &values {
            prop_assert_eq!(directory.finding(&readable(value.clone())), anew.finding(&readable(value.clone())));
        }
    }

    /// Nobody is overlooked: of whomever something else is to be said, the change tells.
    #[test]
    fn a_change_names_everybody_of_whom_something_else_is_to_be_said(
        people in prop::collection::vec((0..3_usize, 0..3_i64, 0..3_usize, any::<bool>()), 2..6),
        changed in 0..6_usize,
    ) {
        let values: Vec<Value> = people.iter().enumerate().map(|(number, (email, second, id, key))| {
            let keys: &[(&str, i64)] = if *key { &[("k", 1)] } else { &[] };
            let object = object(&format!("p{number}"), &format!("e{email}@example.com"), *second);
            enrolled(object, Some(&uid(&format!("i{id}"))), keys)
        }).collect();
        let changed = &values[changed % values.len()];
        let without: Vec<Value> = values.iter().filter(|value| *value != changed).cloned().collect();
        let mut directory = super::tests::directory(&without);
        let before: Vec<_> = without.iter().map(|value| directory.finding(&readable(value.clone()))).collect();
        let touched = directory.take(Event::Apply(person(changed.clone())));
        for (value, before) in without.iter().zip(&before) {
            let now = directory.finding(&readable(value.clone()));
            let told = touched.iter().any(|touched| value["metadata"]["name"] == touched.name.as_str());
            prop_assert!(told || now == *before);
        }
        let with: Vec<_> = without.iter().map(|value| directory.finding(&readable(value.clone()))).collect();
        let touched = directory.take(Event::Delete(person(changed.clone())));
        for ((value, before), with) in without.iter().zip(before).zip(with) {
            let now = directory.finding(&readable(value.clone()));
            let told = touched.iter().any(|touched| value["metadata"]["name"] == touched.name.as_str());
            prop_assert!(told || now == with);
            prop_assert_eq!(now, before);
        }
    }
}
