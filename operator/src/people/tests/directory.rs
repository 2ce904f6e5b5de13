//! What is said of whom.

use super::*;

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
    let said = |value: &Value| directory.finding(&person(value.clone())).unwrap().reason.as_str();
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
    let said = |directory: &Directory| directory.finding(&person(bob.clone())).unwrap().reason.as_str();
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
