//! What an operator may order.

use std::time::Duration;

use vouch_keyring::{
    Algorithm, ChangeContext, ChangeError, ChangeKind, KeyError, KeyPolicy, KeyPolicySettings, KeySet, KeyState, Lead,
    LeadRule, NoSigner, RevokeError, next_transition, plan,
};

use crate::support::{BrokenGenerator, DAY, HOUR, World, both, es256, genesis, kinds, published, settings};

const ES256: Algorithm = Algorithm::Es256;

impl World {
    fn revoke(&mut self, kid: &vouch_keyring::Kid, lead: LeadRule) -> Vec<ChangeKind> {
        kinds(&self.change(|set, context| set.revoke(kid, lead, context)).unwrap())
    }
}

#[test]
fn a_revoked_signing_key_is_withdrawn_at_once_and_the_next_one_takes_over() {
    let mut world = World::new(es256());
    let (active, next) = (world.active(ES256), world.next(ES256));
    world.pass(2 * DAY);
    let changes = world.revoke(&active, LeadRule::Keep);
    assert_eq!(changes, [ChangeKind::Revoked, ChangeKind::Activated, ChangeKind::Published]);
    assert!(!published(&world.set).contains(&active));
    assert!(world.set.verifying_keys().iter().all(|key| key.kid != active));
    assert_eq!(world.active(ES256), next);
    assert!(matches!(world.state(&next), Some(KeyState::Active { lead: Lead::Observed, .. })));
}

#[test]
fn without_a_waiver_nothing_signs_until_the_lead_time_is_over() {
    let mut world = World::new(es256());
    let (active, next) = (world.active(ES256), world.next(ES256));
    world.pass(HOUR);
    assert_eq!(world.revoke(&active, LeadRule::Keep), [ChangeKind::Revoked]);
    let until = genesis() + DAY;
    let error = world.set.signer(ES256, &world.policy).unwrap_err();
    assert_eq!(error, NoSigner::Waiting { algorithm: ES256, until });
    assert_eq!(
        error.to_string(),
        "no ES256 key may sign before 2026-01-02T00:00:00Z: verifiers may not know the next one yet"
    );
    assert_eq!(next_transition(&world.set, &world.policy, world.now), Some(until));
    world.now = until;
    world.advance();
    assert_eq!(world.active(ES256), next);
}

#[test]
fn with_a_waiver_the_next_key_signs_at_once_and_says_so() {
    let mut world = World::new(es256());
    let (active, next) = (world.active(ES256), world.next(ES256));
    world.pass(HOUR);
    let changes = world.revoke(&active, LeadRule::Waive);
    assert_eq!(changes, [ChangeKind::Revoked, ChangeKind::ActivatedEarly, ChangeKind::Published]);
    assert!(matches!(world.state(&next), Some(KeyState::Active { lead: Lead::Waived, .. })));
    assert!(world.set.next(ES256).is_some());
}

#[test]
fn a_waiver_can_follow_a_revocation() {
    let mut world = World::new(es256());
    let (active, next) = (world.active(ES256), world.next(ES256));
    world.revoke(&active, LeadRule::Keep);
    let changes = world.change(|set, context| set.waive_lead(ES256, context)).unwrap();
    assert_eq!(kinds(&changes), [ChangeKind::ActivatedEarly, ChangeKind::Published]);
    assert_eq!(world.active(ES256), next);
}

#[test]
fn a_waiver_does_nothing_where_a_key_signs() {
    let mut world = World::new(es256());
    let active = world.active(ES256);
    assert!(world.change(|set, context| set.waive_lead(ES256, context)).unwrap().is_empty());
    assert_eq!(world.active(ES256), active);
}

#[test]
fn a_revoked_next_key_is_replaced_and_waits_for_the_whole_lead_again() {
    let mut world = World::new(es256());
    let next = world.next(ES256);
    world.pass(30 * DAY - HOUR);
    assert_eq!(world.revoke(&next, LeadRule::Keep), [ChangeKind::Revoked, ChangeKind::Published]);
    world.pass(HOUR);
    assert!(plan(&world.set, &world.policy, world.now).is_empty());
    assert_eq!(next_transition(&world.set, &world.policy, world.now), Some(genesis() + 31 * DAY - HOUR));
}

#[test]
fn the_published_set_is_not_empty_after_its_last_key_was_revoked() {
    let mut world = World::new(es256());
    let (active, next) = (world.active(ES256), world.next(ES256));
    world.revoke(&active, LeadRule::Keep);
    assert_eq!(published(&world.set).len(), 1);
    assert_eq!(world.revoke(&next, LeadRule::Keep), [ChangeKind::Revoked, ChangeKind::Published]);
    assert_eq!(published(&world.set).len(), 1);
    assert!(world.set.active(ES256).is_none());
}

#[test]
fn both_keys_can_be_replaced_when_the_whole_set_has_leaked() {
    let mut world = World::new(es256());
    let (active, next) = (world.active(ES256), world.next(ES256));
    world.revoke(&next, LeadRule::Keep);
    world.revoke(&active, LeadRule::Waive);
    let left = published(&world.set);
    assert_eq!(left.len(), 2);
    assert!(!left.contains(&active) && !left.contains(&next));
    assert!(world.set.signer(ES256, &world.policy).is_ok());
}

#[test]
fn a_retired_key_stays_until_every_cache_knows_the_key_that_took_over() {
    let short = KeyPolicySettings { retain_retired: Duration::ZERO, ..settings(&[ES256]) };
    let mut world = World::new(KeyPolicy::new(short).unwrap());
    let first = world.active(ES256);
    world.pass(30 * DAY).advance();
    let second = world.active(ES256);
    world.pass(HOUR);
    world.revoke(&second, LeadRule::Waive);
    world.pass(2 * HOUR);
    assert!(plan(&world.set, &world.policy, world.now).is_empty());
    assert_eq!(next_transition(&world.set, &world.policy, world.now), Some(genesis() + 31 * DAY));
    world.now = genesis() + 31 * DAY;
    assert_eq!(kinds(&world.advance()), [ChangeKind::Removed]);
    assert_eq!(world.state(&first), None);
}

#[test]
fn a_retired_key_stays_while_nothing_signs() {
    let mut world = World::new(es256());
    let first = world.active(ES256);
    world.pass(30 * DAY).advance();
    let second = world.active(ES256);
    world.pass(DAY - HOUR);
    world.revoke(&second, LeadRule::Keep);
    let next = world.next(ES256);
    world.revoke(&next, LeadRule::Keep);
    world.pass(12 * HOUR);
    assert!(world.advance().is_empty());
    assert!(world.state(&first).is_some());
}

#[test]
fn a_revocation_leaves_the_other_algorithm_alone() {
    let mut world = World::new(both());
    let rsa = world.active(Algorithm::Rs256);
    let elliptic = world.active(ES256);
    world.revoke(&elliptic, LeadRule::Waive);
    assert_eq!(world.active(Algorithm::Rs256), rsa);
}

#[test]
fn a_key_is_revoked_once() {
    let mut world = World::new(es256());
    let active = world.active(ES256);
    world.revoke(&active, LeadRule::Keep);
    let error = world.change(|set, context| set.revoke(&active, LeadRule::Waive, context)).unwrap_err();
    assert_eq!(error, RevokeError::AlreadyRevoked { kid: active, revoked_at: genesis() });
}

#[test]
fn a_key_that_is_not_published_cannot_be_revoked() {
    let stranger = World::new(es256()).active(ES256);
    let mut world = World::new(es256());
    let error = world.change(|set, context| set.revoke(&stranger, LeadRule::Keep, context)).unwrap_err();
    assert_eq!(error, RevokeError::NoSuchKey(stranger));
}

#[test]
fn a_revocation_that_cannot_make_a_replacement_changes_nothing() {
    let mut world = World::new(es256());
    let next = world.next(ES256);
    let context = ChangeContext { policy: &world.policy, generator: &BrokenGenerator, now: world.now };
    let error = world.set.revoke(&next, LeadRule::Keep, &context).unwrap_err();
    assert_eq!(error, RevokeError::Change(ChangeError::Key(KeyError::Generation(ES256))));
    assert!(world.state(&next).is_some());
    assert!(world.set.revoked().is_empty());
}

#[test]
fn a_backup_that_brings_a_revoked_key_back_is_noticed() {
    let mut world = World::new(es256());
    let active = world.active(ES256);
    let backup = KeySet::from_json(world.set.to_json().unwrap().as_bytes()).unwrap();
    world.revoke(&active, LeadRule::Waive);
    assert_eq!(backup.resurrected_since(&world.set), [active]);
    assert!(world.set.resurrected_since(&backup).is_empty());
}

#[test]
fn a_forced_rotation_happens_at_once_when_the_next_key_is_known() {
    let mut world = World::new(es256());
    let (active, next) = (world.active(ES256), world.next(ES256));
    world.pass(DAY);
    let changes = world.change(|set, context| set.force_rotation(context)).unwrap();
    assert_eq!(
        kinds(&changes),
        [ChangeKind::RotationRequested, ChangeKind::Retired, ChangeKind::Activated, ChangeKind::Published]
    );
    assert_eq!(world.active(ES256), next);
    assert!(matches!(world.state(&active), Some(KeyState::Retired { .. })));
}

#[test]
fn a_forced_rotation_waits_for_the_lead_time_and_then_happens_by_itself() {
    let mut world = World::new(es256());
    let (active, next) = (world.active(ES256), world.next(ES256));
    world.pass(HOUR);
    let changes = world.change(|set, context| set.force_rotation(context)).unwrap();
    assert_eq!(kinds(&changes), [ChangeKind::RotationRequested]);
    assert_eq!(world.active(ES256), active);
    assert_eq!(next_transition(&world.set, &world.policy, world.now), Some(genesis() + DAY));
    assert!(world.change(|set, context| set.force_rotation(context)).unwrap().is_empty());
    world.now = genesis() + DAY;
    world.advance();
    assert_eq!(world.active(ES256), next);
    world.pass(29 * DAY).advance();
    assert_eq!(world.active(ES256), next);
}

#[test]
fn a_set_from_the_future_rotates_again_once_the_clock_is_accepted() {
    let mut world = World::new(es256());
    world.pass(20_000 * DAY).advance();
    world.now = genesis() + HOUR;
    assert_eq!(world.set.clock_behind_by(world.now), Some(20_000 * DAY - HOUR));
    assert!(next_transition(&world.set, &world.policy, world.now).unwrap() > genesis() + 20_000 * DAY);

    assert!(world.change(|set, context| set.accept_clock(context)));
    assert_eq!(world.set.clock_behind_by(world.now), None);
    assert_eq!(next_transition(&world.set, &world.policy, world.now), Some(world.now + DAY));
    world.pass(DAY);
    assert_eq!(kinds(&world.advance()), [ChangeKind::Removed]);
    world.pass(29 * DAY);
    assert_eq!(kinds(&world.advance()), [ChangeKind::Retired, ChangeKind::Activated, ChangeKind::Published]);
}

#[test]
fn a_clock_that_agrees_with_the_set_needs_no_acceptance() {
    let mut world = World::new(es256());
    let document = world.set.to_json().unwrap();
    assert!(!world.change(|set, context| set.accept_clock(context)));
    assert_eq!(*world.set.to_json().unwrap(), *document);
}

#[test]
fn accepting_the_clock_leaves_past_dates_alone() {
    let mut world = World::new(es256());
    let first = world.active(ES256);
    world.pass(30 * DAY).advance();
    let retired = world.state(&first);
    let right = world.now;
    world.pass(12 * HOUR);
    let next = world.next(ES256);
    world.revoke(&next, LeadRule::Keep);
    world.now = right + HOUR;
    assert!(world.change(|set, context| set.accept_clock(context)));
    assert!(matches!(retired, Some(KeyState::Retired { .. })));
    assert_eq!(world.state(&first), retired);
    assert_eq!(world.set.next(ES256).unwrap().published_at(), world.now);
}

#[test]
fn accepting_the_clock_does_not_shorten_the_life_of_tokens_signed_before() {
    let long_tokens = KeyPolicySettings { max_token_lifetime: 2 * DAY, ..settings(&[ES256]) };
    let mut world = World::new(KeyPolicy::new(long_tokens).unwrap());
    let first = world.active(ES256);
    world.pass(365 * DAY).advance();
    world.policy = es256();
    world.now = genesis() + HOUR;
    world.change(|set, context| set.accept_clock(context));
    let Some(KeyState::Retired { retired_at, tokens_expire_by, .. }) = world.state(&first) else { panic!("active") };
    assert_eq!((retired_at, tokens_expire_by), (world.now, world.now + 2 * DAY));
}

#[test]
fn a_revocation_by_whoever_does_not_know_the_policy_changes_nothing_else() {
    let mut world = World::new(both());
    world.pass(31 * DAY);
    world.advance();
    let states = |set: &KeySet| set.keys().iter().map(|key| (key.kid().clone(), key.state())).collect::<Vec<_>>();
    let (active, mut before) = (world.active(ES256), states(&world.set));
    before.retain(|(kid, _)| *kid != active);
    world.pass(400 * DAY);
    world.policy = KeyPolicy::standing_still(&world.set);
    assert_eq!(plan(&world.set, &world.policy, world.now), []);
    assert_eq!(world.revoke(&active, LeadRule::Keep), [ChangeKind::Revoked]);
    assert_eq!(states(&world.set), before);

    let next = world.next(ES256);
    let changes = world.change(|set, context| set.waive_lead(ES256, context)).unwrap();
    assert_eq!(kinds(&changes), [ChangeKind::ActivatedEarly, ChangeKind::Published]);
    world.policy = both();
    let raised = world.change(|set, context| set.advance(context)).unwrap();
    assert!(
        raised.iter().any(|change| change.kid == next && change.kind == ChangeKind::TokenLifetimeRaised),
        "{raised:?}"
    );
}
