//! The laws of rotation, for any history.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use proptest::prelude::*;
use vouch_keyring::{
    Algorithm, EXPIRY_GRACE, Key, KeyPolicy, KeyPolicySettings, KeySet, KeyState, Kid, Lead, LeadRule, next_transition,
    plan,
};

use crate::support::{DAY, HOUR, MINUTE, World, published, settings};

/// What happens to a key set in its life.
#[derive(Debug, Clone)]
enum Event {
    /// The keeper does what is due.
    Advance,
    /// The keeper sleeps until something is due, then does it.
    SleepUntilDue,
    ForceRotation,
    /// Which of the published keys, and whether the lead is waived.
    Revoke(prop::sample::Index, bool),
    WaiveLead,
    /// The administrator wants RS256, or no longer does.
    ToggleRs256,
    TokenLifetime(u64),
    RotationPeriod(u64),
    RetainRetired(u64),
    AcceptClock,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Advance),
        6 => Just(Event::SleepUntilDue),
        2 => Just(Event::ForceRotation),
        2 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(which, waive)| Event::Revoke(which, waive)),
        1 => Just(Event::WaiveLead),
        1 => Just(Event::ToggleRs256),
        1 => (1..72_u64).prop_map(Event::TokenLifetime),
        1 => (1..60_u64).prop_map(Event::RotationPeriod),
        1 => (0..5_u64).prop_map(Event::RetainRetired),
        1 => Just(Event::AcceptClock),
    ]
}

/// A moment that only moves on, by up to six weeks at a time.
fn patience() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        (0..3600_u64).prop_map(Duration::from_secs),
        (0..1000_u32).prop_map(|hours| hours * HOUR)
    ]
}

/// A clock that shows anything.
fn any_clock() -> impl Strategy<Value = Timestamp> {
    (0..6_000_000_000_i64).prop_map(|second| Timestamp::from_second(second).unwrap())
}

impl World {
    /// The event as it changes settings; what it does to the set follows in [`World::happen`].
    fn reconfigure(&mut self, event: &Event) {
        let policy = &self.policy;
        let mut settings = KeyPolicySettings {
            algorithms: policy.algorithms().collect(),
            rotation_period: policy.rotation_period(),
            publish_lead: policy.publish_lead(),
            retain_retired: policy.retain_retired(),
            max_token_lifetime: policy.max_token_lifetime(),
        };
        match event {
            Event::ToggleRs256 if policy.wants(Algorithm::Rs256) => {
                settings.algorithms = BTreeSet::from([Algorithm::Es256]);
            }
            Event::ToggleRs256 => settings.algorithms = BTreeSet::from(Algorithm::ALL),
            Event::TokenLifetime(hours) => settings.max_token_lifetime = Duration::from_secs(hours * 3600),
            Event::RotationPeriod(days) => settings.rotation_period = Duration::from_secs(days * 86_400),
            Event::RetainRetired(days) => settings.retain_retired = Duration::from_secs(days * 86_400),
            _ => {}
        }
        self.policy = KeyPolicy::new(settings).unwrap();
    }

    fn happen(&mut self, event: &Event) {
        self.reconfigure(event);
        if let Event::SleepUntilDue = event {
            self.now = next_transition(&self.set, &self.policy, self.now).unwrap_or(self.now);
        }
        let target = |set: &KeySet, which: &prop::sample::Index| which.get(set.keys()).kid().clone();
        self.change(|set, context| {
            match event {
                Event::ForceRotation => set.force_rotation(context).unwrap(),
                Event::Revoke(which, waive) => {
                    let lead = if *waive { LeadRule::Waive } else { LeadRule::Keep };
                    set.revoke(&target(set, which), lead, context).unwrap()
                }
                Event::WaiveLead => set.waive_lead(Algorithm::Es256, context).unwrap(),
                Event::AcceptClock => {
                    set.accept_clock(context);
                    set.advance(context).unwrap()
                }
                _ => set.advance(context).unwrap(),
            };
        });
    }

    /// RSA keys are few: a history ends when they are spent.
    fn exhausted(&self) -> bool {
        self.generator.rsa_left() < 4
    }

    fn activated_at(&self, kid: &Kid) -> Option<(Timestamp, Lead)> {
        match self.state(kid)? {
            KeyState::Active { activated_at, lead, .. } | KeyState::Retired { activated_at, lead, .. } => {
                Some((activated_at, lead))
            }
            KeyState::Next => None,
        }
    }
}

/// At any time: something is published, one key of an algorithm signs at most, one is next at most, nothing more is due.
fn assert_sound(world: &World) -> Result<(), TestCaseError> {
    let set = &world.set;
    prop_assert!(!published(set).is_empty());
    for algorithm in Algorithm::ALL {
        let count =
            |name| set.keys().iter().filter(|key| key.algorithm() == algorithm && key.state().name() == name).count();
        prop_assert!(count("active") <= 1);
        prop_assert_eq!(count("next"), usize::from(world.policy.wants(algorithm)));
    }
    prop_assert_eq!(plan(set, &world.policy, world.now), vec![]);
    for tombstone in set.revoked() {
        prop_assert!(!published(set).contains(&tombstone.kid));
    }
    Ok(())
}

/// Whatever began to sign in this step had been published in an earlier one, for the lead time, or the lead was waived.
fn assert_published_before_signing(before: &KeySet, world: &World, waived: bool) -> Result<(), TestCaseError> {
    for key in world.set.keys().iter().filter(|key| key.state().name() == "active") {
        if before.key(key.kid()).is_some_and(|old| old.state().name() == "active") {
            continue;
        }
        let (_, lead) = world.activated_at(key.kid()).unwrap();
        match lead {
            Lead::Founding => prop_assert!(false, "only the first set has founding keys"),
            Lead::Waived => prop_assert!(waived, "nobody waived the lead of {}", key.kid()),
            Lead::Observed => {
                prop_assert!(before.key(key.kid()).is_some(), "{} signs as it is published", key.kid());
                prop_assert!(world.now >= key.published_at() + world.policy.publish_lead());
            }
        }
    }
    Ok(())
}

fn waives(event: &Event) -> bool {
    matches!(event, Event::Revoke(_, true) | Event::WaiveLead)
}

fn dates(set: &KeySet) -> impl Iterator<Item = Timestamp> + '_ {
    set.keys().iter().map(Key::published_at).chain(set.revoked().iter().map(|tombstone| tombstone.revoked_at))
}

/// A token, as its verifiers see it.
struct Token {
    kid: Kid,
    signed_at: Timestamp,
    expires_at: Timestamp,
}

/// Which keys were published from a moment on.
struct Publication {
    from: Timestamp,
    keys: BTreeSet<Kid>,
}

/// Everything that verifiers may meet.
#[derive(Default)]
struct Records {
    publications: Vec<Publication>,
    tokens: Vec<Token>,
}

impl Records {
    fn note(&mut self, world: &World) {
        self.publications.push(Publication { from: world.now, keys: published(&world.set) });
        self.sign(world);
    }

    /// Every key that signs signs a token of the longest life.
    fn sign(&mut self, world: &World) {
        for key in Algorithm::ALL.into_iter().filter_map(|algorithm| world.set.active(algorithm)) {
            let (signed_at, expires_at) = (world.now, world.now + world.policy.max_token_lifetime());
            self.tokens.push(Token { kid: key.kid().clone(), signed_at, expires_at });
        }
    }

    /// Every JWKS that a verifier may hold while a token lives has the key of the token: those that were published
    /// from one lead time before it was signed until the last verifier stops accepting it.
    fn assert_every_live_token_verifies(&self, world: &World) -> Result<(), TestCaseError> {
        for token in &self.tokens {
            let revoked_at = world
                .set
                .revoked()
                .iter()
                .find(|tombstone| tombstone.kid == token.kid)
                .map(|tombstone| tombstone.revoked_at);
            let needed_from = token.signed_at - world.policy.publish_lead();
            let needed_until = (token.expires_at + EXPIRY_GRACE).min(revoked_at.unwrap_or(Timestamp::MAX));
            for (index, publication) in self.publications.iter().enumerate() {
                let replaced_at = self.publications.get(index + 1).map_or(Timestamp::MAX, |next| next.from);
                let met =
                    replaced_at > needed_from && publication.from < needed_until && replaced_at > publication.from;
                prop_assert!(
                    !met || publication.keys.contains(&token.kid),
                    "the JWKS of {} lacks key {} of a token signed at {}",
                    publication.from,
                    token.kid,
                    token.signed_at
                );
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn a_verifier_with_the_stalest_allowed_jwks_accepts_every_live_token(
        history in prop::collection::vec((patience(), event()), 1..30),
        rsa in any::<bool>(),
    ) {
        let algorithms = if rsa { &Algorithm::ALL[..] } else { &[Algorithm::Es256] };
        let mut world = World::new(KeyPolicy::new(settings(algorithms)).unwrap());
        let mut records = Records::default();
        records.note(&world);
        for (patience, event) in history.iter().filter(|(_, event)| !waives(event)) {
            world.pass(*patience);
            records.sign(&world);
            let before = world.set.clone();
            world.happen(event);
            records.note(&world);
            assert_sound(&world)?;
            assert_published_before_signing(&before, &world, false)?;
            if world.exhausted() {
                break;
            }
        }
        records.assert_every_live_token_verifies(&world)?;
    }

    #[test]
    fn no_jump_of_the_clock_breaks_a_law(history in prop::collection::vec((any_clock(), event()), 1..30)) {
        let mut world = World::new(KeyPolicy::new(settings(&Algorithm::ALL)).unwrap());
        for (clock, event) in &history {
            world.now = *clock;
            let before = world.set.clone();
            world.happen(event);
            assert_sound(&world)?;
            assert_published_before_signing(&before, &world, waives(event))?;
            let latest = dates(&before).max().unwrap();
            let made = world.set.keys().iter().filter(|key| before.key(key.kid()).is_none());
            for key in made {
                prop_assert!(matches!(event, Event::AcceptClock) || key.published_at() >= latest);
            }
            if world.exhausted() {
                break;
            }
        }
    }

    #[test]
    fn nothing_is_due_before_the_next_transition_and_something_is_at_it(
        history in prop::collection::vec((patience(), event()), 0..15),
        part in 0.0..1.0_f64,
    ) {
        let mut world = World::new(KeyPolicy::new(settings(&[Algorithm::Es256])).unwrap());
        for (patience, event) in &history {
            world.pass(*patience).happen(event);
            if world.exhausted() {
                break;
            }
        }
        let due = next_transition(&world.set, &world.policy, world.now).unwrap();
        prop_assert!(due > world.now);
        let wait = Duration::try_from(due.duration_since(world.now)).unwrap();
        prop_assert!(plan(&world.set, &world.policy, world.now + wait.mul_f64(part * 0.999_999)).is_empty());
        prop_assert!(!plan(&world.set, &world.policy, due).is_empty());
    }

    #[test]
    fn a_stored_set_is_read_back_as_it_was(history in prop::collection::vec((patience(), event()), 0..15)) {
        let mut world = World::new(KeyPolicy::new(settings(&[Algorithm::Es256])).unwrap());
        for (patience, event) in &history {
            world.pass(*patience).happen(event);
            if world.exhausted() {
                break;
            }
        }
        let json = world.set.to_json().unwrap();
        let restored = KeySet::from_json(json.as_bytes()).unwrap();
        prop_assert_eq!(&*restored.to_json().unwrap(), &*json);
        prop_assert_eq!(restored.jwks(), world.set.jwks());
        let later = world.now + 40 * DAY + MINUTE;
        prop_assert_eq!(plan(&restored, &world.policy, later), plan(&world.set, &world.policy, later));
    }
}
