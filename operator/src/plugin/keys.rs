//! The signing keys of an issuer, as the operator reports them. Nobody reads the Secret for it.

use std::{cmp::Reverse, fmt};

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;
use vouch_crds::{
    issuer::{KeyState, KeyStatus, SigningAlgorithm, VouchIssuer},
    names::condition,
};
use vouch_issuer::admin::moment;

use crate::status::find;

/// Every signing key.
#[derive(Debug, Serialize)]
pub struct KeyTable {
    /// The VouchIssuer.
    pub issuer: String,
    /// Active first.
    pub keys: Vec<KeyRow>,
    /// Revoked keys, oldest first.
    pub revoked: Vec<RevokedKey>,
    /// When the next key begins to sign ES256 tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_rotation: Option<Timestamp>,
    /// What is wrong with the keys; absent when nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    #[serde(skip)]
    now: Timestamp,
}

/// A published key.
#[derive(Debug, Serialize)]
pub struct KeyRow {
    /// The `kid`.
    pub kid: String,
    /// `ES256` or `RS256`.
    pub algorithm: SigningAlgorithm,
    /// `active`, `next` or `retired`.
    pub state: &'static str,
    /// When verifiers could first see it.
    pub published_at: Timestamp,
    /// When it began to sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Timestamp>,
    /// When it stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
    /// What happens to it next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

/// What happens to a key next.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Next {
    /// `signs`, `retires` or `goes`.
    pub step: &'static str,
    /// Not before this moment.
    pub at: Timestamp,
}

/// A key that must not come back.
#[derive(Debug, Serialize)]
pub struct RevokedKey {
    /// The `kid`.
    pub kid: String,
    /// When.
    pub revoked_at: Timestamp,
}

/// Why keys are not ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The condition's reason.
    pub reason: String,
    /// Its message.
    pub message: String,
}

impl KeyTable {
    /// Of an issuer.
    #[must_use]
    pub fn of(issuer: &VouchIssuer, now: Timestamp) -> Self {
        let status = issuer.status.clone().unwrap_or_default();
        let next_rotation = status.next_rotation.as_ref().map(|at| at.0);
        let published = status.keys.iter().filter(|key| key.state != KeyState::Revoked);
        let mut keys: Vec<KeyRow> = published.map(|key| row(key, issuer, next_rotation)).collect();
        // As an issuer that runs alone has them: by state, by algorithm, newest first.
        let state = |key: &KeyRow| ["active", "next", "retired"].iter().position(|state| *state == key.state);
        keys.sort_by_key(|key| (state(key), algorithm(key.algorithm), Reverse(key.published_at)));
        let revoked = status.keys.iter().filter(|key| key.state == KeyState::Revoked);
        let revoked = revoked.map(|key| RevokedKey {
            kid: key.kid.clone(),
            revoked_at: key.retired_at.as_ref().unwrap_or(&key.published_at).0,
        });
        let failing = find(&status.conditions, condition::KEYS_READY).filter(|condition| condition.status != "True");
        let problem = failing.map(|found| Problem { reason: found.reason.clone(), message: found.message.clone() });
        Self { issuer: issuer.name_any(), keys, revoked: revoked.collect(), next_rotation, problem, now }
    }

    /// The key that signs ES256 tokens.
    #[must_use]
    pub fn active(&self) -> Option<&str> {
        let es256 = |key: &&KeyRow| key.state == "active" && key.algorithm == SigningAlgorithm::Es256;
        self.keys.iter().find(es256).map(|key| key.kid.as_str())
    }
}

fn row(key: &KeyStatus, issuer: &VouchIssuer, next_rotation: Option<Timestamp>) -> KeyRow {
    // The operator reports the next rotation of ES256 keys, which every issuer has.
    let rotation = next_rotation.filter(|_| key.algorithm == SigningAlgorithm::Es256);
    let retention: std::time::Duration = issuer.spec.signing_keys.retain_retired.into();
    let retired_at = key.retired_at.as_ref().map(|at| at.0);
    let step = |step| move |at| Next { step, at };
    let (state, next) = match key.state {
        KeyState::Next => ("next", rotation.map(step("signs"))),
        KeyState::Active => ("active", rotation.map(step("retires"))),
        KeyState::Retired | KeyState::Revoked => {
            ("retired", retired_at.and_then(|at| at.checked_add(retention).ok()).map(step("goes")))
        }
    };
    KeyRow {
        kid: key.kid.clone(),
        algorithm: key.algorithm,
        state,
        published_at: key.published_at.0,
        activated_at: key.activated_at.as_ref().map(|at| at.0),
        retired_at,
        next,
    }
}

impl fmt::Display for KeyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| moment(at, self.now));
        if self.keys.is_empty() {
            writeln!(f, "VouchIssuer {} has no signing keys that are known.", self.issuer)?;
        } else {
            writeln!(
                f,
                "{:43}  {:9}  {:8}  {:16}  {:16}  NEXT",
                "KEY", "ALGORITHM", "STATE", "PUBLISHED", "SIGNS SINCE"
            )?;
        }
        for key in &self.keys {
            let (published, activated) = (at(Some(key.published_at)), at(key.activated_at));
            let next =
                key.next.as_ref().map_or_else(|| "-".to_owned(), |next| format!("{} {}", next.step, at(Some(next.at))));
            let algorithm = algorithm(key.algorithm);
            writeln!(f, "{:43}  {algorithm:9}  {:8}  {published:16}  {activated:16}  {next}", key.kid, key.state)?;
        }
        for key in &self.revoked {
            writeln!(f, "{:43}  {:9}  revoked   {}", key.kid, "", moment(key.revoked_at, self.now))?;
        }
        match &self.problem {
            Some(Problem { reason, message }) => writeln!(f, "{reason}: {message}"),
            None => Ok(()),
        }
    }
}

const fn algorithm(algorithm: SigningAlgorithm) -> &'static str {
    match algorithm {
        SigningAlgorithm::Es256 => "ES256",
        SigningAlgorithm::Rs256 => "RS256",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::plugin::testing::{issuer_with_keys, kid, moment as at};

    #[test]
    fn every_key_says_what_happens_to_it_next() {
        let table = KeyTable::of(&issuer_with_keys(), at("2026-11-21T09:00:00Z"));
        let steps: Vec<_> =
            table.keys.iter().map(|key| (key.state, key.next.as_ref().map(|next| (next.step, next.at)))).collect();
        let rotation = at("2026-12-20T09:00:00Z");
        assert_eq!(
            steps,
            [
                ("active", Some(("retires", rotation))),
                ("next", Some(("signs", rotation))),
                ("retired", Some(("goes", at("2026-11-22T08:00:00Z")))),
            ]
        );
        assert_eq!(table.active(), Some(kid('Q').as_str()));
        assert_eq!(table.revoked[0].revoked_at, at("2026-10-01T08:00:00Z"));
    }

    #[test]
    fn the_table_says_what_is_wrong_with_the_keys() {
        let mut issuer = issuer_with_keys();
        let status = issuer.status.as_mut().unwrap();
        let ready = status.conditions.iter_mut().find(|found| found.type_ == condition::KEYS_READY).unwrap();
        ready.status = "False".to_owned();
        ready.reason = "KeySecretMissing".to_owned();
        ready.message = "Secret vouch-signing-keys is gone.".to_owned();
        let text = KeyTable::of(&issuer, at("2026-11-21T09:00:00Z")).to_string();
        assert!(text.ends_with("KeySecretMissing: Secret vouch-signing-keys is gone.\n"), "{text}");
    }
}
