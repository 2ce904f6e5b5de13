//! Whatever happens in whatever order, and to however many.

use proptest::prelude::*;
use vouch_issuer::{
    cluster::Cluster,
    store::{
        Everybody, Store as _,
        kubernetes::{KubernetesStore, Scope},
    },
};

use super::*;
use crate::testing::ApiServer;

/// Address, age, id, security keys and their ages, damage, deletion.
type Anybody = (usize, i64, Option<usize>, Vec<(usize, i64)>, bool, bool);

/// A declaration with whatever can be wrong with it.
fn anybody() -> impl Strategy<Value = Anybody> {
    let keys = prop::collection::vec((0..3_usize, 0..3_i64), 0..3);
    let (rarely, seldom) = (prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    (0..4_usize, 0..3_i64, prop::option::of(0..3_usize), keys, rarely, seldom)
}

/// What an issuer knows: everybody's addresses, or whom it cannot read.
async fn known_to_the_issuer(people: &[Value]) -> Result<Vec<String>, String> {
    let server = ApiServer::default();
    for value in people {
        server.put(&format!("{PEOPLE}/{}", value["metadata"]["name"].as_str().unwrap()), value.clone());
    }
    let cluster = Cluster { client: server.client(), namespace: "vouch".to_owned() };
    match KubernetesStore::follow(&cluster, &Scope::Everybody).users().await {
        Ok(Everybody { damaged, .. }) if !damaged.is_empty() => Err(damaged[0].what.clone()),
        Ok(Everybody { people, .. }) => Ok(people.iter().map(|stored| stored.user.email.to_string()).collect()),
        Err(error) => panic!("{error}"),
    }
}

/// The same by what the operator says of each.
fn said_by_the_operator(people: &[Value]) -> Result<Vec<String>, String> {
    let directory = super::directory(people);
    let mut said: Vec<(String, String, &str)> = Vec::new();
    for value in people {
        let Some(finding) = directory.finding(&person(value.clone())) else { continue };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        said.push((text(&value["spec"]["email"]), text(&value["metadata"]["name"]), finding.reason.as_str()));
    }
    said.retain(|(.., reason)| *reason != "EmailTaken");
    said.sort();
    let refused = said.iter().find(|(.., reason)| ["DuplicateId", "DuplicateKey", "StatusCorrupt"].contains(reason));
    match refused {
        Some((email, name, _)) => Err(format!("{email} (VouchUser {name})")),
        None => Ok(said.into_iter().map(|(email, ..)| email).collect()),
    }
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
    /// What is reported is what holds.
    #[test]
    fn the_operator_refuses_whom_the_issuer_refuses_and_nobody_else(people in prop::collection::vec(anybody(), 1..6)) {
        let people: Vec<Value> = people.into_iter().enumerate().map(|(number, (email, second, id, keys, damaged, leaving))| {
            let object = object(&format!("p{number}"), &format!("e{email}@example.com"), second);
            let names: Vec<(String, i64)> = keys.into_iter().map(|(key, since)| (format!("k{key}"), since)).collect();
            let keys: Vec<(&str, i64)> = names.iter().map(|(name, since)| (name.as_str(), *since)).collect();
            let mut object = enrolled(object, id.map(|id| uid(&format!("i{id}"))).as_deref(), &keys);
            if damaged {
                object["status"]["keyCount"] = json!("two");
            }
            if leaving {
                object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            }
            object
        }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        prop_assert_eq!(said_by_the_operator(&people), runtime.block_on(known_to_the_issuer(&people)));
    }

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
        let anew = super::directory(&values);
        for value in &values {
            prop_assert_eq!(directory.finding(&person(value.clone())), anew.finding(&person(value.clone())));
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
        let mut directory = super::directory(&without);
        let before: Vec<_> = without.iter().map(|value| directory.finding(&person(value.clone()))).collect();
        let touched = directory.take(Event::Apply(person(changed.clone())));
        for (value, before) in without.iter().zip(&before) {
            let now = directory.finding(&person(value.clone()));
            let told = touched.iter().any(|touched| value["metadata"]["name"] == touched.name.as_str());
            prop_assert!(told || now == *before);
        }
        let with: Vec<_> = without.iter().map(|value| directory.finding(&person(value.clone()))).collect();
        let touched = directory.take(Event::Delete(person(changed.clone())));
        for ((value, before), with) in without.iter().zip(before).zip(with) {
            let now = directory.finding(&person(value.clone()));
            let told = touched.iter().any(|touched| value["metadata"]["name"] == touched.name.as_str());
            prop_assert!(told || now == with);
            prop_assert_eq!(now, before);
        }
    }
}
