//! Scheduled rotation, step by step.

use std::time::Duration;

use jiff::Timestamp;
use vouch_keyring::{
    Action, Algorithm, ChangeContext, ChangeError, ChangeKind, EXPIRY_GRACE, KeyError, KeyPolicy, KeyPolicySettings,
    KeySet, KeyState, Lead, NoSigner, next_rotation, next_transition, plan,
};

use crate::support::{
    BrokenGenerator, DAY, HOUR, MINUTE, World, both, es256, genesis, kinds, policy, published, settings,
};

const ES256: Algorithm = Algorithm::Es256;
const RS256: Algorithm = Algorithm::Rs256;

#[test]
fn a_first_set_signs_at_once_and_publishes_what_follows() {
    let world = World::new(both());
    for algorithm in Algorithm::ALL {
        let active = world.set.active(algorithm).unwrap();
        assert!(matches!(active.state(), KeyState::Active { lead: Lead::Founding, .. }));
        assert_eq!(world.set.signer(algorithm, &world.policy).unwrap().kid(), active.kid());
        assert_eq!(world.set.next(algorithm).unwrap().published_at(), genesis());
    }
    assert_eq!(published(&world.set).len(), 4);
    assert!(plan(&world.set, &world.policy, world.now).is_empty());
}

#[test]
fn a_first_set_reports_every_key_it_made() {
    let context = ChangeContext { policy: &es256(), generator: &vouch_keyring::SystemKeyGenerator, now: genesis() };
    let (set, changes) = KeySet::initialize(&context).unwrap();
    assert_eq!(kinds(&changes), [ChangeKind::Published, ChangeKind::Activated, ChangeKind::Published]);
    assert!(changes.iter().all(|change| set.key(&change.kid).is_some()));
}

#[test]
fn nothing_happens_before_the_rotation_period_is_over() {
    let mut world = World::new(es256());
    world.pass(30 * DAY - Duration::from_nanos(1));
    assert!(plan(&world.set, &world.policy, world.now).is_empty());
}

#[test]
fn rotation_hands_over_to_the_next_key_and_publishes_another() {
    let mut world = World::new(es256());
    let (first, second) = (world.active(ES256), world.next(ES256));
    world.pass(30 * DAY);
    let actions = plan(&world.set, &world.policy, world.now);
    assert_eq!(
        actions,
        [
            Action::Retire { kid: first.clone() },
            Action::Activate { kid: second.clone() },
            Action::Publish { algorithm: ES256 }
        ]
    );
    let now = world.now;
    let changes = world.change(|set, context| set.apply(&actions, context)).unwrap();
    assert_eq!(kinds(&changes), [ChangeKind::Retired, ChangeKind::Activated, ChangeKind::Published]);
    assert_eq!(world.active(ES256), second);
    assert_eq!(
        world.state(&first),
        Some(KeyState::Retired {
            activated_at: genesis(),
            lead: Lead::Founding,
            retired_at: now,
            tokens_expire_by: now + HOUR
        })
    );
    assert_ne!(world.next(ES256), second);
    assert_eq!(published(&world.set).len(), 3);
}

#[test]
fn a_key_that_changes_its_state_changes_no_byte_of_the_jwks() {
    let mut world = World::new(es256());
    let before = world.set.jwks();
    world.pass(30 * DAY);
    let retire_and_activate = &plan(&world.set, &world.policy, world.now)[..2];
    world.change(|set, context| set.apply(retire_and_activate, context)).unwrap();
    assert_eq!(world.set.jwks(), before);
}

#[test]
fn a_retired_key_goes_when_it_was_kept_as_long_as_asked() {
    let mut world = World::new(es256());
    let first = world.active(ES256);
    world.pass(30 * DAY).advance();
    world.pass(DAY - MINUTE);
    assert!(world.advance().is_empty());
    world.pass(MINUTE);
    assert_eq!(kinds(&world.advance()), [ChangeKind::Removed]);
    assert_eq!(world.state(&first), None);
}

#[test]
fn a_retired_key_stays_while_a_token_of_it_may_be_accepted() {
    let long_tokens = KeyPolicySettings { max_token_lifetime: 2 * DAY, ..settings(&[ES256]) };
    let mut world = World::new(KeyPolicy::new(long_tokens).unwrap());
    let first = world.active(ES256);
    world.pass(30 * DAY).advance();
    world.pass(2 * DAY + EXPIRY_GRACE - MINUTE);
    assert!(world.advance().is_empty());
    world.pass(MINUTE).advance();
    assert_eq!(world.state(&first), None);
}

#[test]
fn a_shorter_token_lifetime_does_not_shorten_the_life_of_tokens_signed_before() {
    let long_tokens = KeyPolicySettings { max_token_lifetime: 2 * DAY, ..settings(&[ES256]) };
    let mut world = World::new(KeyPolicy::new(long_tokens).unwrap());
    let first = world.active(ES256);
    world.policy = es256();
    world.pass(30 * DAY).advance();
    let Some(KeyState::Retired { tokens_expire_by, .. }) = world.state(&first) else { panic!("not retired") };
    assert_eq!(tokens_expire_by, world.now + 2 * DAY);
}

#[test]
fn a_longer_token_lifetime_is_noted_on_the_key_that_signs() {
    let mut world = World::new(es256());
    let first = world.active(ES256);
    world.policy = KeyPolicy::new(KeyPolicySettings { max_token_lifetime: 8 * HOUR, ..settings(&[ES256]) }).unwrap();
    assert_eq!(
        plan(&world.set, &world.policy, world.now),
        [Action::RaiseTokenLifetime { kid: first.clone(), seconds: 8 * 3600 }]
    );
    world.advance();
    world.policy = es256();
    world.pass(30 * DAY).advance();
    let Some(KeyState::Retired { tokens_expire_by, .. }) = world.state(&first) else { panic!("not retired") };
    assert_eq!(tokens_expire_by, world.now + 8 * HOUR);
}

#[test]
fn an_algorithm_added_later_is_published_first_and_signs_after_the_lead() {
    let mut world = World::new(es256());
    world.policy = both();
    assert_eq!(plan(&world.set, &world.policy, world.now), [Action::Publish { algorithm: RS256 }]);
    world.advance();
    let until = world.now + DAY;
    assert_eq!(world.set.signer(RS256, &world.policy).unwrap_err(), NoSigner::Waiting { algorithm: RS256, until });
    assert_eq!(next_transition(&world.set, &world.policy, world.now), Some(until));
    let key = world.next(RS256);
    world.pass(DAY).advance();
    assert_eq!(world.active(RS256), key);
    assert!(world.set.next(RS256).is_some());
}

#[test]
fn an_algorithm_taken_away_retires_its_key_and_keeps_it_for_its_tokens() {
    let mut world = World::new(both());
    let (active, next) = (world.active(RS256), world.next(RS256));
    world.policy = es256();
    world.pass(HOUR).advance();
    assert!(matches!(world.state(&active), Some(KeyState::Retired { .. })));
    assert_eq!(world.state(&next), None);
    assert_eq!(world.set.signer(RS256, &world.policy).unwrap_err(), NoSigner::NoKey { algorithm: RS256 });
    world.pass(DAY).advance();
    assert_eq!(world.state(&active), None);
    assert!(world.set.keys().iter().all(|key| key.algorithm() == ES256));
}

#[test]
fn each_algorithm_rotates_by_its_own_dates() {
    let mut world = World::new(es256());
    world.pass(10 * DAY);
    world.policy = both();
    world.advance();
    world.pass(DAY).advance();
    let (elliptic, rsa) = (world.active(ES256), world.active(RS256));
    world.pass(19 * DAY).advance();
    assert_ne!(world.active(ES256), elliptic);
    assert_eq!(world.active(RS256), rsa);
    assert_eq!(next_rotation(&world.set, &world.policy, RS256), Some(genesis() + 41 * DAY));
    assert_eq!(next_rotation(&world.set, &world.policy, ES256), Some(genesis() + 60 * DAY));
}

#[test]
fn a_longer_lead_holds_for_keys_published_before() {
    let mut world = World::new(es256());
    world.policy =
        KeyPolicy::new(KeyPolicySettings { rotation_period: 60 * DAY, publish_lead: 60 * DAY, ..settings(&[ES256]) })
            .unwrap();
    world.pass(30 * DAY);
    assert!(plan(&world.set, &world.policy, world.now).is_empty());
    assert_eq!(next_transition(&world.set, &world.policy, world.now), Some(genesis() + 60 * DAY));
}

#[test]
fn a_clock_that_went_back_changes_nothing() {
    let mut world = World::new(es256());
    world.pass(30 * DAY).advance();
    let jwks = world.set.jwks();
    for back in [MINUTE, DAY, 400 * DAY, 20_000 * DAY] {
        world.now = genesis() + 30 * DAY - back;
        assert!(world.advance().is_empty(), "{back:?}");
    }
    assert_eq!(world.set.jwks(), jwks);
}

#[test]
fn a_key_made_while_the_clock_is_behind_does_not_look_old_when_it_is_right_again() {
    let mut world = World::new(es256());
    world.pass(30 * DAY).advance();
    let right = world.now;
    world.now = genesis();
    let next = world.next(ES256);
    world.change(|set, context| set.revoke(&next, vouch_keyring::LeadRule::Keep, context)).unwrap();
    assert_eq!(world.set.next(ES256).unwrap().published_at(), right);
}

#[test]
fn a_clock_that_jumps_years_ahead_rotates_once() {
    let mut world = World::new(es256());
    let (first, second) = (world.active(ES256), world.next(ES256));
    world.pass(3650 * DAY).advance();
    assert_eq!(world.active(ES256), second);
    assert!(matches!(world.state(&first), Some(KeyState::Retired { .. })));
    assert!(world.advance().is_empty());
}

#[test]
fn a_plan_made_for_another_moment_is_refused_as_a_whole() {
    let mut world = World::new(es256());
    let second = world.next(ES256);
    let actions = plan(&world.set, &world.policy, genesis() + 30 * DAY);
    let jwks = world.set.jwks();
    let error = world.change(|set, context| set.apply(&actions, context)).unwrap_err();
    assert_eq!(error, ChangeError::LeadNotOver { kid: second, until: genesis() + DAY });
    assert_eq!(world.set.jwks(), jwks);
    assert!(world.set.active(ES256).is_some());
}

#[test]
fn a_plan_applied_twice_is_refused() {
    let mut world = World::new(es256());
    let first = world.active(ES256);
    world.pass(30 * DAY);
    let actions = plan(&world.set, &world.policy, world.now);
    world.change(|set, context| set.apply(&actions, context)).unwrap();
    let error = world.change(|set, context| set.apply(&actions, context)).unwrap_err();
    assert_eq!(error, ChangeError::WrongState { kid: first, state: "retired", needed: "active" });
}

#[test]
fn no_step_may_break_a_law() {
    let mut world = World::new(es256());
    let (active, next) = (world.active(ES256), world.next(ES256));
    world.pass(2 * DAY);
    let mut refuse = |action: Action| world.change(|set, context| set.apply(&[action], context)).unwrap_err();
    assert_eq!(
        refuse(Action::Activate { kid: next.clone() }),
        ChangeError::Occupied { algorithm: ES256, state: "active" }
    );
    assert_eq!(refuse(Action::Publish { algorithm: ES256 }), ChangeError::Occupied { algorithm: ES256, state: "next" });
    assert_eq!(refuse(Action::Remove { kid: active.clone() }), ChangeError::StillNeeded { kid: active });
    assert_eq!(refuse(Action::Remove { kid: next.clone() }), ChangeError::StillNeeded { kid: next });
}

#[test]
fn a_rotation_that_cannot_make_a_key_changes_nothing() {
    let mut world = World::new(es256());
    let active = world.active(ES256);
    world.pass(30 * DAY);
    let context = ChangeContext { policy: &world.policy, generator: &BrokenGenerator, now: world.now };
    let error = world.set.advance(&context).unwrap_err();
    assert_eq!(error, ChangeError::Key(KeyError::Generation(ES256)));
    assert_eq!(world.active(ES256), active);
}

#[test]
fn the_next_transition_is_now_when_something_is_overdue() {
    let world = World::new(es256());
    let late: Timestamp = genesis() + 90 * DAY;
    assert_eq!(next_transition(&world.set, &world.policy, genesis()), Some(genesis() + 30 * DAY));
    assert_eq!(next_transition(&world.set, &world.policy, late), Some(late));
}

#[test]
fn a_plan_reads_as_sentences() {
    let mut world = World::new(policy(&[ES256]));
    let (first, second) = (world.active(ES256), world.next(ES256));
    world.pass(30 * DAY);
    let lines: Vec<_> = plan(&world.set, &world.policy, world.now).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            format!("stop signing with key {first}"),
            format!("begin to sign with key {second}"),
            "publish a new ES256 key as the next one".to_owned()
        ]
    );
}
