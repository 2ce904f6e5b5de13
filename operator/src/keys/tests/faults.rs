//! Secrets that are gone, damaged, foreign or old: what is told, and that nothing is made up for them.
use k8s_openapi::api::core::v1::Secret;
use vouch_crds::names::annotation;

use super::*;
use crate::{
    keys::{
        observe::Root,
        plan::{RootPlan, plan_root},
        report,
    },
    reason::Reason,
    status::Truth,
};

#[test]
fn keys_that_are_gone_are_never_made_again_by_themselves() {
    let mut model = Model::made();
    model.secret = None;
    for _ in 0..3 {
        model.wait(PERIOD);
        assert!(matches!(model.fault(), KeyFault::Missing { initialized_at, .. } if initialized_at == at(0)));
        assert!(model.pass(End::Done).is_none());
        assert!(model.secret.is_none());
    }
    let message = model.fault().to_string();
    assert!(message.contains("vouch.sh/recreate-keys: \"2027-01-15T08:00:00Z\""), "{message}");
    assert_eq!(model.fault().reason(), Reason::KeySecretMissing);
}

#[test]
fn keys_that_are_given_up_by_name_are_made_once() {
    let mut model = Model::made();
    let lost = active(&model.set());
    model.secret = None;
    model.order(annotation::RECREATE_KEYS, "2026-01-01T00:00:00Z");
    assert_eq!(model.fault().reason(), Reason::KeySecretMissing, "another moment names other keys");
    let order = model.initialized_at().to_string();
    model.order(annotation::RECREATE_KEYS, order);
    assert_eq!(model.plan().to_string(), "make new keys in the place of those that were given up");
    model.pass(End::Done);
    assert_ne!(active(&model.set()), lost);
    assert!(model.initialized_at() > at(0), "the order does not name the new keys, even when no time has passed");
    assert_eq!(model.plan().to_string(), "nothing is due");
    model.secret = None;
    assert_eq!(model.fault().reason(), Reason::KeySecretMissing, "the order stands, and is not carried out twice");
}

#[test]
fn a_crash_while_keys_are_made_anew_makes_them_once() {
    let mut model = Model::made();
    model.secret = None;
    model.order(annotation::RECREATE_KEYS, model.initialized_at().to_string());
    model.pass(End::BeforeStatus);
    let made = active(&model.set());
    model.pass(End::Done);
    assert_eq!(active(&model.set()), made);
    assert!(model.initialized_at() > at(0));
}

#[test]
fn keys_that_can_be_read_are_never_given_up() {
    let mut model = Model::made();
    model.order(annotation::RECREATE_KEYS, model.initialized_at().to_string());
    assert_eq!(model.plan().to_string(), "nothing is due");
    let kept = model.pass(End::Done).unwrap();
    assert!(kept.report.finding.message.contains("Remove vouch.sh/recreate-keys"), "{}", kept.report.finding.message);
    assert_eq!(model.initialized_at(), at(0));
}

#[test]
fn a_secret_that_is_emptied_cut_or_edited_is_left_as_it_is() {
    let document = Model::made().set().to_json().unwrap();
    let half = &document.as_bytes()[..document.len() / 2];
    let edited = document.replacen("active", "retired", 1);
    for (bytes, word) in
        [(&b""[..], "has no keys.json"), (half, "cut off"), (edited.as_bytes(), "line"), (b"[]", "line")]
    {
        let mut model = Model::made();
        model.write_data(bytes);
        let fault = model.fault();
        assert_eq!(fault.reason(), Reason::KeySecretCorrupt);
        assert!(fault.to_string().contains(word), "{fault}");
        assert!(model.pass(End::Done).is_none());
        model.order(annotation::RECREATE_KEYS, model.initialized_at().to_string());
        model.pass(End::Done);
        assert_eq!(model.plan().to_string(), "nothing is due");
    }
}

#[test]
fn a_change_that_the_checksum_catches_is_a_fault() {
    let mut model = Model::made();
    let document = model.set().to_json().unwrap();
    let kid = active(&model.set()).unwrap();
    let edited = document.replace("\"published_at\": \"2027", "\"published_at\": \"2020");
    assert_ne!(edited, *document, "{kid}");
    model.write_data(edited.as_bytes());
    assert!(model.fault().to_string().contains("checksum"), "{}", model.fault());
}

#[test]
fn a_damaged_secret_of_an_issuer_without_keys_of_its_own_is_not_overwritten_either() {
    let mut model = Model::made();
    model.write_data(b"");
    model.issuer.status = None;
    model.order(annotation::RECREATE_KEYS, "2027-01-15T08:00:00Z");
    assert_eq!(model.fault().reason(), Reason::KeySecretCorrupt);
    assert!(model.fault().to_string().contains("delete Secret login-signing-keys"), "{}", model.fault());
}

#[test]
fn the_keys_of_another_url_are_left_alone_even_by_order() {
    for url in [Some("https://other.example.com"), None] {
        let mut model = Model::made();
        model.annotate_secret(annotation::ISSUER_URL, url);
        model.order(annotation::RECREATE_KEYS, model.initialized_at().to_string());
        assert_eq!(model.fault().reason(), Reason::ForeignKeys);
        assert!(model.pass(End::Done).is_none());
    }
}

#[test]
fn a_backup_that_brings_a_revoked_key_back_stops_everything_but_its_revocation() {
    let mut model = Model::made();
    let (backup, kid) = (model.secret.clone(), active(&model.set()).unwrap());
    model.wait(LEAD);
    model.order(annotation::REVOKE_KEY, kid.to_string());
    model.pass(End::Done);
    assert!(model.set().key(&kid).is_none());
    model.issuer.metadata.annotations = None;
    model.secret = backup;
    model.wait(2 * PERIOD);
    model.order(annotation::ROTATE_KEYS, "now");
    let again = format!("kubectl vouch revoke-key {kid} -n vouch");
    let restored = KeyFault::Restored { secret: "login-signing-keys".into(), kid: kid.clone(), again: again.clone() };
    assert_eq!(model.fault(), restored);
    assert!(restored.to_string().contains(&format!("Revoke the key again: {again} (or ")), "{restored}");
    model.order(annotation::REVOKE_KEY, format!("{kid},now"));
    let kept = model.pass(End::Done).unwrap();
    assert!(model.set().key(&kid).is_none());
    assert_eq!(kept.report.finding.truth, Truth::True);
    assert_eq!(model.status().iter().filter(|key| key.state == KeyState::Revoked).count(), 1);
}

#[test]
fn an_order_that_still_stands_heals_an_older_backup_by_itself() {
    let mut model = Model::made();
    let (backup, kid) = (model.secret.clone(), active(&model.set()).unwrap());
    model.wait(LEAD);
    model.order(annotation::REVOKE_KEY, kid.to_string());
    model.pass(End::Done);
    model.secret = backup;
    model.pass(End::Done);
    assert!(model.set().key(&kid).is_none());
}

#[test]
fn an_order_that_still_stands_lets_no_other_revoked_key_sign_again() {
    let mut model = Model::made();
    model.wait(LEAD);
    let (backup, first) = (model.secret.clone(), active(&model.set()).unwrap());
    let next = model.kid_of(KeyState::Next).unwrap();
    for order in [next.clone(), format!("{first},now")] {
        model.order(annotation::REVOKE_KEY, order);
        model.pass(End::Done);
        model.wait(1);
    }
    // The order about the key that signed stands, and the backup does not know that it has been carried out.
    model.secret = backup;
    model.pass(End::Done);
    let set = model.set();
    assert!(set.key(&first).is_none() && set.key(&next.parse().unwrap()).is_none());
    assert!(active(&set).is_some(), "the order says that a key is to sign now");
}

#[test]
fn a_revoked_key_is_remembered_when_the_secret_forgets_it() {
    let mut model = Model::made();
    let (lost, kid) = (model.set(), active(&model.set()).unwrap());
    model.wait(LEAD);
    model.order(annotation::REVOKE_KEY, kid.to_string());
    model.pass(End::Done);
    model.secret = None;
    model.order(annotation::RECREATE_KEYS, model.initialized_at().to_string());
    model.pass(End::Done);
    assert!(model.set().revoked().is_empty());
    assert_eq!(model.kid_of(KeyState::Revoked), Some(kid.to_string()));
    let restored = InForce { set: lost, handled: model.stored().unwrap().handled };
    model.secret = Some(filled(&owner(), URL, None, &restored).unwrap());
    assert_eq!(model.fault().reason(), Reason::KeysRestored);
}

#[test]
fn an_older_backup_that_lacks_the_signing_key_is_told() {
    let mut model = Model::made();
    let backup = model.secret.clone();
    for _ in 0..4 {
        model.wait(PERIOD + 1);
        model.pass(End::Done);
    }
    let lost = model.kid_of(KeyState::Active).unwrap();
    model.secret = backup;
    let kept = model.pass(End::Done).unwrap();
    assert!(told(&kept).iter().any(|(reason, note)| *reason == Reason::KeyLost && note.starts_with(&short(&lost))));
}

#[test]
fn a_root_secret_is_made_when_it_is_gone_and_left_alone_when_it_is_damaged() {
    let declared = Model::made().declared();
    let root = |bytes: usize, url: Option<&str>| {
        let secret = json!({
            "metadata": {"annotations": url.map(|url| json!({annotation::ISSUER_URL: url}))},
            "data": {"root": k8s_openapi::ByteString(vec![7; bytes])},
        });
        Root::of(Some(serde_json::from_value::<Secret>(secret).unwrap()), URL)
    };
    assert_eq!(plan_root(&Root::of(None, URL), &declared), RootPlan::Make);
    assert_eq!(plan_root(&root(32, Some(URL)), &declared), RootPlan::Keep);
    assert_eq!(plan_root(&root(32, None), &declared), RootPlan::Keep);
    let fault = |root| match plan_root(&root, &declared) {
        RootPlan::Stand(fault) => fault.reason(),
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(root(31, Some(URL))), Reason::RootSecretCorrupt);
    assert_eq!(fault(root(0, None)), Reason::RootSecretCorrupt);
    assert_eq!(fault(root(32, Some("https://other.example.com"))), Reason::ForeignKeys);
}

#[test]
fn a_damaged_root_secret_does_not_stop_rotation() {
    let mut model = Model::made();
    let fault = KeyFault::RootDamaged { secret: "login-root-secret".into(), length: 3 };
    let keys = InForce { set: model.set(), handled: model.stored().unwrap().handled };
    let report = report::report(&keys, Some(&fault), &model.declared(), model.now);
    assert_eq!(report.finding.reason, Reason::RootSecretCorrupt);
    assert_eq!(report.next_transition, Some(at(PERIOD)));
    model.pass(End::Done);
}

#[test]
fn nothing_of_a_private_key_is_ever_shown() {
    let model = Model::made();
    let document = model.set().to_json().unwrap();
    let private: serde_json::Value = serde_json::from_str(&document).unwrap();
    let private = private["set"]["keys"][0]["pkcs8"].as_str().unwrap();
    let shown = format!("{:?} {:?} {:?}", model.stored(), model.plan(), model.declared());
    assert!(!shown.contains(private) && !shown.contains("keys.json"), "{shown}");
}
