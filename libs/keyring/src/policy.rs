//! How keys rotate, checked once.

use std::{collections::BTreeSet, time::Duration};

use crate::{algorithm::Algorithm, set::KeySet, state::Key};

/// What an administrator asks for, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPolicySettings {
    /// Which algorithms to sign with. ES256 must be there.
    pub algorithms: BTreeSet<Algorithm>,
    /// How long a key signs.
    pub rotation_period: Duration,
    /// How long a key is published before it signs: at least as long as the slowest verifier caches a JWKS.
    pub publish_lead: Duration,
    /// How long a key stays published after it has stopped signing, at least.
    pub retain_retired: Duration,
    /// The longest life of any token signed by these keys, sessions included.
    pub max_token_lifetime: Duration,
}

/// A policy that can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPolicy(KeyPolicySettings);

/// What is wrong with a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    /// Federation tokens are ES256.
    #[error("algorithms must include ES256")]
    Es256Missing,
    /// A key that never signs.
    #[error("rotationPeriod must be longer than zero")]
    RotationPeriodZero,
    /// Verifiers could not know a key before it signs.
    #[error("publishLead must be longer than zero")]
    PublishLeadZero,
    /// The next key could never be published for long enough.
    #[error("publishLead ({lead:?}) must not be longer than rotationPeriod ({period:?})")]
    LeadLongerThanPeriod {
        /// The lead asked for.
        lead: Duration,
        /// The period asked for.
        period: Duration,
    },
    /// Tokens that are never valid.
    #[error("the longest token lifetime must be longer than zero")]
    TokenLifetimeZero,
}

/// Everything that is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signing-key policy cannot be kept: {}", list(.0))]
pub struct PolicyError(pub Vec<PolicyProblem>);

fn list(problems: &[PolicyProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl KeyPolicy {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn new(settings: KeyPolicySettings) -> Result<Self, PolicyError> {
        let KeyPolicySettings { algorithms, rotation_period, publish_lead, max_token_lifetime, .. } = &settings;
        let (lead, period) = (*publish_lead, *rotation_period);
        let checks = [
            (!algorithms.contains(&Algorithm::Es256), PolicyProblem::Es256Missing),
            (period.is_zero(), PolicyProblem::RotationPeriodZero),
            (lead.is_zero(), PolicyProblem::PublishLeadZero),
            (lead > period, PolicyProblem::LeadLongerThanPeriod { lead, period }),
            (max_token_lifetime.is_zero(), PolicyProblem::TokenLifetimeZero),
        ];
        let problems: Vec<_> = checks.into_iter().filter_map(|(wrong, problem)| wrong.then_some(problem)).collect();
        if problems.is_empty() { Ok(Self(settings)) } else { Err(PolicyError(problems)) }
    }

    /// For an order that must be carried out while what was asked for is not known: every key stays in its state, and one
    /// that is withdrawn has its successor published. Whoever knows the policy goes by that afterwards.
    #[must_use]
    pub fn standing_still(set: &KeySet) -> Self {
        let in_use = set.keys().iter().filter(|key| key.is_active() || key.is_next()).map(Key::algorithm);
        Self(KeyPolicySettings {
            algorithms: in_use.chain([Algorithm::Es256]).collect(),
            rotation_period: Duration::MAX,
            publish_lead: Duration::MAX,
            retain_retired: Duration::MAX,
            max_token_lifetime: Duration::from_secs(1),
        })
    }

    /// Whether keys of this algorithm are wanted.
    #[must_use]
    pub fn wants(&self, algorithm: Algorithm) -> bool {
        self.0.algorithms.contains(&algorithm)
    }

    /// The algorithms wanted, ES256 first.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> + '_ {
        self.0.algorithms.iter().copied()
    }

    /// How long a key signs.
    #[must_use]
    pub fn rotation_period(&self) -> Duration {
        self.0.rotation_period
    }

    /// How long a key is published before it signs.
    #[must_use]
    pub fn publish_lead(&self) -> Duration {
        self.0.publish_lead
    }

    /// How long a key stays published after it has stopped signing, at least.
    #[must_use]
    pub fn retain_retired(&self) -> Duration {
        self.0.retain_retired
    }

    /// The longest life of any token.
    #[must_use]
    pub fn max_token_lifetime(&self) -> Duration {
        self.0.max_token_lifetime
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn settings() -> KeyPolicySettings {
        KeyPolicySettings {
            algorithms: BTreeSet::from([Algorithm::Es256]),
            rotation_period: Duration::from_secs(3600),
            publish_lead: Duration::from_secs(60),
            retain_retired: Duration::ZERO,
            max_token_lifetime: Duration::from_secs(60),
        }
    }

    #[test]
    fn accepts_a_lead_as_long_as_the_period() {
        let policy = KeyPolicy::new(KeyPolicySettings { publish_lead: Duration::from_secs(3600), ..settings() });
        assert!(policy.is_ok());
    }

    #[test]
    fn refuses_a_lead_longer_than_the_period() {
        let error =
            KeyPolicy::new(KeyPolicySettings { publish_lead: Duration::from_secs(3601), ..settings() }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the signing-key policy cannot be kept: publishLead (3601s) must not be longer than rotationPeriod (3600s)"
        );
    }

    #[test]
    fn reports_every_problem_at_once() {
        let error = KeyPolicy::new(KeyPolicySettings {
            algorithms: BTreeSet::from([Algorithm::Rs256]),
            rotation_period: Duration::ZERO,
            publish_lead: Duration::ZERO,
            retain_retired: Duration::ZERO,
            max_token_lifetime: Duration::ZERO,
        })
        .unwrap_err();
        assert_eq!(
            error.0,
            [
                PolicyProblem::Es256Missing,
                PolicyProblem::RotationPeriodZero,
                PolicyProblem::PublishLeadZero,
                PolicyProblem::TokenLifetimeZero
            ]
        );
    }
}
