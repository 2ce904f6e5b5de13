//! Making, rotating and revoking keys: each decision, by its name.
use vouch_crds::{
    issuer::SigningAlgorithm,
    names::{annotation, label},
};
use vouch_keyring::{LeadRule, NoSigner};

use super::*;
use crate::{reason::Reason, status::Truth};

#[test]
fn the_first_keys_are_made_where_there_never_were_any() {
    let model = Model::new();
    assert_eq!(model.plan().to_string(), "make the first keys");
    let made = Model::made();
    assert_eq!(made.plan().to_string(), "nothing is due");
    assert_eq!(made.initialized_at(), at(0));
    assert_eq!((made.set().keys().len(), made.status().len()), (2, 2));
    assert_eq!(active(&made.set()).map(|kid| kid.to_string()), made.issuer.status.as_ref().unwrap().active_key);
}

#[test]
fn keys_that_were_stored_and_not_reported_are_reported_and_not_made_again() {
    let mut model = Model::new();
    model.pass(End::BeforeStatus);
    let before = active(&model.set());
    assert_eq!(model.plan().to_string(), "nothing is due");
    model.wait(30);
    model.pass(End::Done);
    assert_eq!(active(&model.set()), before);
    assert_eq!(model.initialized_at(), at(0));
}

#[test]
fn the_keys_of_an_earlier_issuer_of_that_name_and_url_are_taken_over() {
    let mut model = Model::made();
    let before = active(&model.set());
    model.issuer.metadata.uid = Some("u2".into());
    model.issuer.status = None;
    model.wait(60);
    let kept = model.pass(End::Done).unwrap();
    assert_eq!(active(&model.set()), before);
    assert_eq!(model.initialized_at(), at(0));
    assert!(kept.report.finding.truth == Truth::True);
}

#[test]
fn orders_of_an_earlier_issuer_are_not_carried_out_again() {
    let mut model = Model::made();
    model.order(annotation::ROTATE_KEYS, "1");
    model.wait(2 * LEAD);
    model.pass(End::Done);
    let before = active(&model.set());
    model.issuer.status = None;
    model.wait(2 * LEAD);
    model.pass(End::Done);
    assert_eq!(active(&model.set()), before);
}

#[test]
fn a_rotation_is_told_as_one_event_that_names_both_keys() {
    let mut model = Model::made();
    let (old, new) = (model.kid_of(KeyState::Active).unwrap(), model.kid_of(KeyState::Next).unwrap());
    model.wait(PERIOD - 1);
    assert_eq!(model.plan().to_string(), "nothing is due");
    model.wait(1);
    assert_eq!(model.plan().to_string(), "do what is due");
    let kept = model.pass(End::Done).unwrap();
    let (old, next) = (short(&old), short(&model.kid_of(KeyState::Next).unwrap()));
    assert_eq!(
        told(&kept),
        [
            (
                Reason::KeyActivated,
                format!("{} now signs; {old} retired, published until 2027-01-16 10:00 UTC", short(&new))
            ),
            (Reason::KeyPublished, format!("{next} is published and will sign from 2027-01-17 08:00 UTC on")),
        ]
    );
    model.wait(2 * 3600);
    let kept = model.pass(End::Done).unwrap();
    assert_eq!(told(&kept), [(Reason::KeyRemoved, format!("{old} is not published any more"))]);
    assert_eq!(told(&model.pass(End::Done).unwrap()), []);
}

#[test]
fn what_happened_before_a_crash_is_told_after_it() {
    let mut model = Model::made();
    model.wait(PERIOD);
    model.pass(End::BeforeStatus);
    let kept = model.pass(End::Done).unwrap();
    let reasons: Vec<Reason> = told(&kept).into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(reasons, [Reason::KeyActivated, Reason::KeyPublished]);
}

#[test]
fn a_rotation_by_order_waits_until_the_next_key_is_known() {
    let mut model = Model::made();
    let next = model.kid_of(KeyState::Next);
    model.wait(LEAD / 2);
    model.order(annotation::ROTATE_KEYS, "1");
    let KeyPlan::Write(work) = model.plan() else { panic!() };
    let changed = model.carry_out(work);
    assert_eq!(changed.notices[0].reason, Reason::RotationOrdered);
    assert!(changed.notices[0].note.contains("from 2027-01-15 09:00 UTC on"), "{}", changed.notices[0].note);
    let kept = model.pass(End::Done).unwrap();
    assert_eq!(kept.report.next_transition, Some(at(LEAD)));
    assert_eq!(model.plan().to_string(), "nothing is due");
    model.wait(LEAD / 2);
    model.pass(End::Done);
    assert_eq!(model.kid_of(KeyState::Active), next);
}

#[test]
fn a_crash_between_two_orders_repeats_neither() {
    let mut model = Model::made();
    model.wait(2 * LEAD);
    model.order(annotation::ROTATE_KEYS, "1");
    model.pass(End::BeforeStatus);
    let once = active(&model.set());
    model.wait(2 * LEAD);
    model.pass(End::Done);
    assert_eq!(active(&model.set()), once);
    model.order(annotation::ROTATE_KEYS, "2");
    model.pass(End::Done);
    assert_ne!(active(&model.set()), once);
}

#[test]
fn a_revoked_signing_key_leaves_nothing_signing_until_the_next_is_known_or_allowed() {
    let mut model = Model::made();
    let kid = active(&model.set()).unwrap();
    model.wait(60);
    model.order(annotation::REVOKE_KEY, kid.to_string());
    let kept = model.pass(End::Done).unwrap();
    assert_eq!((kept.report.finding.truth, kept.report.finding.reason), (Truth::False, Reason::NothingSigns));
    let message = &kept.report.finding.message;
    let at_once =
        format!("at first: kubectl vouch revoke-key {kid} --now -n vouch (or \"{kid},now\" in the annotation ");
    assert!(message.contains(&at_once), "{message}");
    assert_eq!(told(&kept)[0].0, Reason::KeyRevoked);
    assert_eq!(kept.report.active_key, None);
    assert_eq!(kept.report.next_transition, Some(at(LEAD)));
    assert!(matches!(model.set().signer(Algorithm::Es256, &model.declared().policy), Err(NoSigner::Waiting { .. })));
    let next = model.kid_of(KeyState::Next).unwrap();
    model.wait(1);
    model.order(annotation::REVOKE_KEY, next.clone());
    let message = model.pass(End::Done).unwrap().report.finding.message;
    assert!(message.contains(&format!("revoke-key {next} --now")), "the key that was revoked last: {message}");
    model.order(annotation::REVOKE_KEY, format!("{kid},now"));
    let kept = model.pass(End::Done).unwrap();
    assert_eq!(told(&kept)[0].0, Reason::KeyActivatedEarly);
    assert_eq!(kept.report.finding.truth, Truth::True);
}

#[test]
fn an_order_that_cannot_be_carried_out_is_refused_once() {
    let mut model = Model::made();
    let other = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    for value in ["nonsense", other] {
        model.order(annotation::REVOKE_KEY, value);
        let KeyPlan::Write(work) = model.plan() else { panic!() };
        let changed = model.carry_out(work);
        assert_eq!(changed.notices[0].reason, Reason::OrderRefused);
        assert!(changed.notices[0].note.contains(&format!("vouch.sh/revoke-key: \"{value}\" was not carried out")));
        model.pass(End::Done);
        assert_eq!(model.plan().to_string(), "nothing is due");
        let handled = &model.issuer.status.as_ref().unwrap().handled_orders;
        assert_eq!(handled[annotation::REVOKE_KEY], value, "whoever gave it reads that it was dealt with");
    }
    assert_eq!(model.set().keys().len(), 2);
}

#[test]
fn a_clock_that_is_behind_is_named_and_its_word_taken_by_order() {
    let mut model = Model::made();
    model.wait(PERIOD);
    model.pass(End::Done);
    model.wait(-PERIOD / 2);
    let kept = model.pass(End::Done).unwrap();
    assert_eq!((kept.report.finding.truth, kept.report.finding.reason), (Truth::False, Reason::ClockBehind));
    let message = &kept.report.finding.message;
    assert!(message.contains("now: kubectl vouch accept-clock -n vouch (or "), "{message}");
    model.order(annotation::ACCEPT_CLOCK, "1");
    let KeyPlan::Write(work) = model.plan() else { panic!() };
    assert_eq!(model.carry_out(work).notices[0].reason, Reason::ClockAccepted);
    let kept = model.pass(End::Done).unwrap();
    assert_eq!(kept.report.finding.truth, Truth::True);
}

#[test]
fn clocks_of_two_leaders_may_differ_a_little() {
    let mut model = Model::made();
    model.wait(-30);
    let kept = model.pass(End::Done).unwrap();
    assert_eq!(kept.report.finding.truth, Truth::True);
    assert_eq!(model.plan().to_string(), "nothing is due");
}

#[test]
fn another_algorithm_is_added_beside_the_first() {
    let mut model = Model::made();
    model.issuer.spec.signing_keys.algorithms.push(SigningAlgorithm::Rs256);
    let kept = model.pass(End::Done).unwrap();
    assert_eq!(kept.report.finding.truth, Truth::True);
    assert!(kept.report.finding.message.ends_with("RS256 tokens are signed from 2027-01-15 09:00 UTC on."));
    assert_eq!(told(&kept)[0].0, Reason::KeyPublished);
}

#[test]
fn labels_that_a_hand_has_removed_are_put_back_and_the_keys_stay() {
    let mut model = Model::made();
    let before = model.set().to_json().unwrap();
    model.secret.as_mut().unwrap().metadata.labels = None;
    assert_eq!(model.plan().to_string(), "do what is due");
    model.pass(End::Done);
    assert_eq!(model.set().to_json().unwrap(), before);
    let labels = model.secret.clone().unwrap().metadata.labels.unwrap();
    assert_eq!(labels[label::INSTANCE], "login");
    assert_eq!(model.plan().to_string(), "nothing is due");
}

#[test]
fn what_people_add_to_the_secret_stays() {
    let mut model = Model::made();
    let metadata = &mut model.secret.as_mut().unwrap().metadata;
    metadata.annotations.as_mut().unwrap().insert("backup.example.com/include".into(), "true".into());
    metadata.resource_version = Some("7".into());
    model.wait(PERIOD);
    model.pass(End::Done);
    let metadata = model.secret.clone().unwrap().metadata;
    assert_eq!(metadata.annotations.unwrap()["backup.example.com/include"], "true");
    assert_eq!(metadata.resource_version.as_deref(), Some("7"), "written over what was read, or not at all");
}

#[test]
fn the_secret_outlives_its_issuer() {
    let secret = Model::made().secret.unwrap();
    assert_eq!(secret.metadata.owner_references, None);
    assert_eq!(secret.type_.as_deref(), Some("vouch.sh/signing-keys"));
}

#[test]
fn a_waiver_is_read_as_such() {
    let mut model = Model::made();
    let kid = active(&model.set()).unwrap();
    model.order(annotation::REVOKE_KEY, format!("{kid}, now"));
    let KeyPlan::Write(Work::Change { orders, .. }) = model.plan() else { panic!() };
    assert_eq!(orders[0].order, Ok(crate::keys::orders::Order::Revoke { kid, lead: LeadRule::Waive }));
    assert!(model.declared().policy.publish_lead() == seconds(LEAD));
}
