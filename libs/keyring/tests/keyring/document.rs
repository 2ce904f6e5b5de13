//! The stored document: taken as written, or refused with what is wrong.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use proptest::prelude::*;
use serde_json::{Value, json};
use vouch_keyring::{Algorithm, DocumentError, KeyError, KeySet, LeadRule};

use crate::support::{DAY, HOUR, World, both, es256};

const ES256: Algorithm = Algorithm::Es256;

/// A set with keys in every state, and a revoked one.
fn eventful() -> World {
    let mut world = World::new(both());
    world.pass(30 * DAY).advance();
    let next = world.next(ES256);
    world.pass(HOUR).change(|set, context| set.revoke(&next, LeadRule::Keep, context)).unwrap();
    world.change(|set, context| set.force_rotation(context)).unwrap();
    world
}

static DOCUMENT: LazyLock<String> = LazyLock::new(|| eventful().set.to_json().unwrap().to_string());

/// Changes a document and puts the right checksum under it, as a careful forger would.
fn edited(json: &str, edit: impl FnOnce(&mut Value)) -> String {
    let mut document: Value = serde_json::from_str(json).unwrap();
    edit(&mut document);
    resealed(&document)
}

/// The checksum covers the fields in their own order, which `Value` does not keep.
fn resealed(document: &Value) -> String {
    let key = |key: &Value| {
        format!(
            r#"{{"kid":{},"algorithm":{},"published_at":{},"state":{},"pkcs8":{}}}"#,
            key["kid"],
            key["algorithm"],
            key["published_at"],
            state(&key["state"]),
            key["pkcs8"]
        )
    };
    let tombstone = |tombstone: &Value| {
        let Value::Object(fields) = tombstone else { panic!("not an object") };
        format!(
            r#"{{"kid":{},"algorithm":{},"revoked_at":{}}}"#,
            fields["kid"], fields["algorithm"], fields["revoked_at"]
        )
    };
    let list = |items: &Value, one: &dyn Fn(&Value) -> String| {
        items.as_array().unwrap().iter().map(one).collect::<Vec<_>>().join(",")
    };
    let set = format!(
        r#"{{"keys":[{}],"revoked":[{}]}}"#,
        list(&document["set"]["keys"], &key),
        list(&document["set"]["revoked"], &tombstone)
    );
    let sum: String =
        digest::digest(&digest::SHA256, set.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(r#"{{"version":{},"sha256":"{sum}","set":{set}}}"#, document["version"])
}

fn state(state: &Value) -> String {
    let order =
        ["activated_at", "lead", "longest_token_seconds", "retired_at", "tokens_expire_by", "rotation_requested_at"];
    let Value::Object(variant) = state else { return state.to_string() };
    let (name, fields) = variant.iter().next().unwrap();
    let fields: Vec<_> =
        order.iter().filter_map(|field| Some(format!(r#""{field}":{}"#, fields.get(*field)?))).collect();
    format!(r#"{{"{name}":{{{}}}}}"#, fields.join(","))
}

fn refusal(json: &str) -> DocumentError {
    KeySet::from_json(json).unwrap_err()
}

#[test]
fn a_document_says_what_was_written() {
    let world = eventful();
    let json = world.set.to_json().unwrap();
    let restored = KeySet::from_json(json.as_bytes()).unwrap();
    assert_eq!(*restored.to_json().unwrap(), *json);
    for key in world.set.keys() {
        let same = restored.key(key.kid()).unwrap();
        assert_eq!((same.state(), same.published_at()), (key.state(), key.published_at()));
    }
    assert_eq!(restored.revoked(), world.set.revoked());
}

#[test]
fn the_forger_of_these_tests_can_reseal_an_unchanged_document() {
    assert!(KeySet::from_json(edited(&DOCUMENT, |_| {})).is_ok());
}

#[test]
fn white_space_does_not_matter() {
    let compact = edited(&DOCUMENT, |_| {});
    assert_eq!(KeySet::from_json(compact).unwrap().to_json().unwrap().as_str(), DOCUMENT.as_str());
}

#[test]
fn refuses_a_document_that_is_cut_off() {
    for length in [0, 1, 20, DOCUMENT.len() / 2, DOCUMENT.trim_end().len() - 1] {
        assert!(matches!(refusal(&DOCUMENT[..length]), DocumentError::Truncated { .. }), "{length}");
    }
}

#[test]
fn refuses_what_is_not_json_and_names_the_place() {
    assert_eq!(refusal("{\n  keys"), DocumentError::NotJson { line: 2, column: 3 });
    assert!(matches!(refusal(&format!("{}x", *DOCUMENT)), DocumentError::NotJson { .. }));
    assert!(matches!(
        KeySet::from_json(b"{\"version\": \"\xff\"").unwrap_err(),
        DocumentError::Shape { .. } | DocumentError::NotJson { .. }
    ));
}

#[test]
fn refuses_a_document_of_another_version_by_name() {
    let newer = edited(&DOCUMENT, |document| document["version"] = json!(2));
    assert_eq!(refusal(&newer), DocumentError::Version { found: 2 });
    assert_eq!(
        refusal(r#"{"version": 7, "shape": "of tomorrow"}"#).to_string(),
        "the key document has version 7; this program reads version 1: use the program that wrote it"
    );
}

#[test]
fn refuses_an_edited_document() {
    let edited = DOCUMENT.replacen("2026-01-01T00:00:00Z", "2020-01-01T00:00:00Z", 1);
    assert_ne!(edited, *DOCUMENT);
    assert_eq!(refusal(&edited), DocumentError::Checksum);
}

#[test]
fn refuses_missing_and_unknown_fields() {
    let without_date = DOCUMENT.replacen("\"published_at\"", "\"published\"", 1);
    assert!(matches!(refusal(&without_date), DocumentError::Shape { .. }));
    let with_more = DOCUMENT.replacen("\"version\": 1,", "\"version\": 1, \"note\": \"\",", 1);
    assert!(matches!(refusal(&with_more), DocumentError::Shape { .. }));
    let in_state = DOCUMENT.replacen("\"lead\"", "\"note\": \"\", \"lead\"", 1);
    assert!(matches!(refusal(&in_state), DocumentError::Shape { .. }));
}

#[test]
fn refuses_a_document_without_keys() {
    let empty = edited(&DOCUMENT, |document| document["set"]["keys"] = json!([]));
    assert_eq!(refusal(&empty), DocumentError::Empty);
}

#[test]
fn refuses_a_key_under_the_name_of_another() {
    let world = World::new(es256());
    let (active, next) = (world.active(ES256), world.next(ES256));
    let swapped = edited(&world.set.to_json().unwrap(), |document| {
        document["set"]["keys"][0]["kid"] = json!(next);
    });
    assert_eq!(refusal(&swapped), DocumentError::Thumbprint { kid: next, thumbprint: active });
}

#[test]
fn refuses_a_key_that_does_not_parse() {
    let world = World::new(es256());
    let active = world.active(ES256);
    let json = world.set.to_json().unwrap();
    let garbled = edited(&json, |document| document["set"]["keys"][0]["pkcs8"] = json!("AAAA"));
    assert_eq!(refusal(&garbled), DocumentError::Key { kid: active.clone(), source: KeyError::Invalid(ES256) });
    let not_base64 = edited(&json, |document| document["set"]["keys"][0]["pkcs8"] = json!("*"));
    assert_eq!(refusal(&not_base64), DocumentError::Encoding { kid: active });
}

#[test]
fn refuses_a_key_of_another_algorithm_than_it_says() {
    let world = World::new(es256());
    let active = world.active(ES256);
    let mislabelled = edited(&world.set.to_json().unwrap(), |document| {
        document["set"]["keys"][0]["algorithm"] = json!("RS256");
    });
    let source = KeyError::Invalid(Algorithm::Rs256);
    assert_eq!(refusal(&mislabelled), DocumentError::Key { kid: active, source });
}

#[test]
fn refuses_a_key_that_is_there_twice() {
    let world = World::new(es256());
    let active = world.active(ES256);
    let doubled = edited(&world.set.to_json().unwrap(), |document| {
        document["set"]["keys"][1] = document["set"]["keys"][0].clone();
    });
    assert_eq!(refusal(&doubled), DocumentError::Duplicate { kid: active });
}

#[test]
fn refuses_two_active_keys() {
    let world = World::new(es256());
    let two = edited(&world.set.to_json().unwrap(), |document| {
        document["set"]["keys"][1]["state"] = document["set"]["keys"][0]["state"].clone();
    });
    assert_eq!(refusal(&two), DocumentError::Ambiguous { algorithm: ES256, state: "active" });
}

#[test]
fn refuses_a_revoked_key_that_was_put_back() {
    let mut world = World::new(es256());
    let active = world.active(ES256);
    let before: Value = serde_json::from_str(&world.set.to_json().unwrap()).unwrap();
    world.change(|set, context| set.revoke(&active, LeadRule::Keep, context)).unwrap();
    let revoked_at = world.now;
    let put_back = edited(&world.set.to_json().unwrap(), |document| {
        let key = before["set"]["keys"][0].clone();
        document["set"]["keys"].as_array_mut().unwrap().push(key);
    });
    assert_eq!(refusal(&put_back), DocumentError::Revoked { kid: active, revoked_at });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_byte_never_gives_another_set(position in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut damaged = DOCUMENT.clone().into_bytes();
        let position = position.index(damaged.len());
        damaged[position] = byte;
        if let Ok(set) = KeySet::from_json(&damaged) {
            prop_assert_eq!(&*set.to_json().unwrap(), &*DOCUMENT);
        }
    }

    #[test]
    fn a_lost_or_doubled_byte_never_gives_another_set(position in any::<prop::sample::Index>(), lost in any::<bool>()) {
        let mut damaged = DOCUMENT.clone().into_bytes();
        let position = position.index(damaged.len());
        if lost {
            damaged.remove(position);
        } else {
            damaged.insert(position, damaged[position]);
        }
        if let Ok(set) = KeySet::from_json(&damaged) {
            prop_assert_eq!(&*set.to_json().unwrap(), &*DOCUMENT);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(KeySet::from_json(&bytes).is_err());
    }
}
