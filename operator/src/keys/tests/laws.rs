//! What holds whatever happens, in whatever order, and wherever a pass ends.
use proptest::prelude::*;
use vouch_crds::names::annotation;
use vouch_keyring::{KeyState as Stage, Lead};

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Pass(End),
    /// Two leaders at once: the second has read what the first then replaces.
    Race,
    Wait(i64),
    Rotate(u8),
    Revoke {
        which: usize,
        waive: bool,
    },
    AcceptClock(u8),
    Lose,
    Damage,
    GiveUp,
    Restore(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![
        3 => Just(End::Done),
        1 => Just(End::BeforeWrite),
        2 => Just(End::BeforeStatus),
    ];
    prop_oneof![
        12 => end.prop_map(Step::Pass),
        3 => Just(Step::Race),
        8 => (0..2 * PERIOD).prop_map(Step::Wait),
        2 => (-3 * PERIOD..0).prop_map(Step::Wait),
        2 => any::<u8>().prop_map(Step::Rotate),
        2 => (0..4_usize, any::<bool>()).prop_map(|(which, waive)| Step::Revoke { which, waive }),
        1 => any::<u8>().prop_map(Step::AcceptClock),
        1 => Just(Step::Lose),
        1 => Just(Step::Damage),
        2 => Just(Step::GiveUp),
        1 => (0..8_usize).prop_map(Step::Restore),
    ]
}

/// A model, and what must be remembered of it to judge.
struct Judged {
    model: Model,
    backups: Vec<k8s_openapi::api::core::v1::Secret>,
    /// Dates may lie behind the lead time's: a backup was restored, or a clock accepted.
    dates_moved: bool,
}

impl Judged {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Pass(end) => self.pass(*end),
            Step::Race => {
                let mut other = self.model.clone();
                self.pass(End::Done);
                // It has read the Secret of before, so its write is refused, and it reads again.
                other.secret.clone_from(&self.model.secret);
                other.issuer.clone_from(&self.model.issuer);
                self.model = other;
                self.pass(End::Done);
            }
            Step::Wait(seconds) => self.model.wait(*seconds),
            Step::Rotate(value) => self.model.order(annotation::ROTATE_KEYS, value.to_string()),
            Step::Revoke { which, waive } => {
                let kids: Vec<_> = self.model.issuer.status.iter().flat_map(|status| &status.keys).collect();
                if let Some(kid) = kids.get(*which).map(|key| key.kid.clone()) {
                    self.model.order(annotation::REVOKE_KEY, if *waive { format!("{kid},now") } else { kid });
                }
            }
            Step::AcceptClock(value) => {
                self.dates_moved = true;
                self.model.order(annotation::ACCEPT_CLOCK, value.to_string());
            }
            Step::Lose => self.model.secret = None,
            Step::Damage => {
                if self.model.secret.is_some() {
                    self.model.write_data(b"{\"version\": 1");
                }
            }
            Step::GiveUp => {
                if let Some(at) = self.model.declared().initialized_at() {
                    self.model.order(annotation::RECREATE_KEYS, at.to_string());
                }
            }
            Step::Restore(which) => {
                if let Some(backup) = self.backups.get(*which).cloned() {
                    self.dates_moved = true;
                    self.model.secret = Some(backup);
                }
            }
        }
    }

    fn pass(&mut self, end: End) {
        let before = self.model.clone();
        self.model.pass(end);
        let (Some(after), declared) = (self.model.stored(), before.declared()) else {
            assert!(before.secret.is_none(), "a pass never takes a Secret away");
            return;
        };
        let Ok(set) = &after.set else {
            assert!(before.stored().is_some_and(|before| before.set.is_err()), "a pass never damages a Secret");
            return;
        };
        assert!(!set.keys().is_empty(), "something is always published");
        for algorithm in Algorithm::ALL {
            let active = set.keys().iter().filter(|key| key.algorithm() == algorithm && is_active(key.state()));
            assert!(active.count() <= 1, "two keys never sign");
        }
        let earlier = before.stored().and_then(|stored| stored.set.ok());
        match &earlier {
            None => {
                let initialized = declared.initialized_at();
                let allowed = initialized.is_none() || initialized.is_some_and(|at| declared.orders.give_up(at));
                assert!(allowed, "keys are made only where there were none, or where they were given up");
            }
            Some(earlier) => self.judge_change(earlier, set),
        }
        if self.backups.len() < 8 {
            self.backups.extend(self.model.secret.clone());
        }
    }

    fn judge_change(&self, earlier: &KeySet, set: &KeySet) {
        assert!(set.resurrected_since(earlier).is_empty(), "a revoked key stays revoked");
        for key in set.keys() {
            let began =
                earlier.key(key.kid()).is_none_or(|before| !is_active(before.state())) && is_active(key.state());
            if began {
                let Stage::Active { lead, .. } = key.state() else { unreachable!() };
                // Whoever revokes the only key that could sign, and waives the lead, orders a key that nobody knows.
                let waived = lead == Lead::Waived;
                assert!(
                    waived || earlier.key(key.kid()).is_some(),
                    "a key that signs was published in an earlier change"
                );
                let known_at = key.lead_over_at(&self.model.declared().policy);
                assert!(self.dates_moved || waived || known_at <= self.model.now, "it was published for the lead time");
            }
        }
    }
}

fn is_active(state: Stage) -> bool {
    matches!(state, Stage::Active { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_crash_no_clock_and_no_order_breaks_the_keys(steps in prop::collection::vec(step(), 1..40)) {
        let mut judged = Judged { model: Model::new(), backups: Vec::new(), dates_moved: false };
        for step in &steps {
            judged.take(step);
        }
    }

    #[test]
    fn two_passes_without_a_crash_always_come_to_rest(steps in prop::collection::vec(step(), 1..30)) {
        let mut judged = Judged { model: Model::new(), backups: Vec::new(), dates_moved: false };
        for step in &steps {
            judged.take(step);
        }
        judged.pass(End::Done);
        judged.pass(End::Done);
        let before = judged.model.clone();
        judged.pass(End::Done);
        let rested = &judged.model;
        prop_assert_eq!(&rested.secret, &before.secret);
        prop_assert_eq!(&rested.issuer, &before.issuer);
        let plan = rested.plan();
        prop_assert!(matches!(plan, KeyPlan::Keep(_) | KeyPlan::Stand(_)), "{}", plan);
    }

    #[test]
    fn wherever_passes_end_the_order_is_carried_out_once(
        ends in prop::collection::vec(prop_oneof![Just(End::BeforeWrite), Just(End::BeforeStatus)], 0..6),
    ) {
        let mut model = Model::made();
        model.wait(2 * LEAD);
        let next = model.set().next(Algorithm::Es256).map(|key| key.kid().clone());
        model.order(annotation::ROTATE_KEYS, "1");
        for end in ends {
            model.pass(end);
            model.wait(2 * LEAD);
        }
        model.pass(End::Done);
        prop_assert_eq!(active(&model.set()), next);
    }
}
