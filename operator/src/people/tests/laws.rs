//! Whatever happens in whatever order, and to however many.

use proptest::prelude::*;

use super::*;

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
