//! What holds for every record.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::store::{
    conformance::{key, person},
    kubernetes::record,
    record::{EnrolledKey, Invite, InviteHash, UsedChallenge, UserId, UserRecord},
};

prop_compose! {
    fn moments()(nanoseconds in 0_i64..i64::MAX) -> Timestamp {
        Timestamp::from_nanosecond(nanoseconds.into()).unwrap()
    }
}

prop_compose! {
    fn keys()(
        credential in "[A-Za-z0-9_-]{4}{4,32}", name in "\\PC{1,64}", aaguid in any::<Option<u128>>(), attested: bool,
        created_at in moments(), last_used_at in proptest::option::of(moments()),
    ) -> EnrolledKey {
        EnrolledKey { name, aaguid: aaguid.map(Uuid::from_u128), attested, created_at, last_used_at, ..key(&credential) }
    }
}

prop_compose! {
    fn invites()(hash in "[A-Za-z0-9_-]{22}", expires_at in moments(), used_at in proptest::option::of(moments())) -> Invite {
        Invite { hash: InviteHash(hash), expires_at, used_at }
    }
}

prop_compose! {
    fn challenges()(digest in "[A-Za-z0-9_-]{22}", expires_at in moments()) -> UsedChallenge {
        UsedChallenge { digest, expires_at }
    }
}

prop_compose! {
    fn records()(
        id: u128, name in "[a-z0-9_+=.-]{1,40}", groups in proptest::collection::btree_set("[a-z]{1,9}", 0..4),
        disabled: bool, created_at in moments(), sessions_valid_from in moments(),
        keys in proptest::collection::vec(keys(), 0..3), invite in proptest::option::of(invites()),
        used_challenges in proptest::collection::vec(challenges(), 0..4),
    ) -> UserRecord {
        UserRecord {
            id: UserId(Uuid::from_u128(id)), email: format!("{name}@example.com").parse().unwrap_or(person("alice").email),
            groups: groups.into_iter().collect(), disabled, created_at, sessions_valid_from, keys, invite, used_challenges,
        }
    }
}

/// What an object holds after the patches.
fn written(user: &UserRecord) -> (String, String) {
    let mut spec = record::spec(user);
    spec["email"] = json!(user.email);
    (spec.to_string(), record::status(user).unwrap().to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_record_comes_back_from_its_object_as_it_was(user in records()) {
        let (spec, status) = written(&user);
        let read = record::read(&spec, &status, user.id, user.created_at).unwrap();
        prop_assert_eq!(serde_json::to_value(read).unwrap(), serde_json::to_value(user).unwrap());
    }

    #[test]
    fn nothing_of_the_operator_is_in_a_patch(user in records()) {
        let status = record::status(&user).unwrap();
        prop_assert!(status.get("conditions").is_none() && status.get("observedGeneration").is_none());
    }
}
