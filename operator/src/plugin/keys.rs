//! The signing keys of an issuer, as the operator reports them. Nobody reads the Secret for it.

use std::{cmp::Reverse, fmt};

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::{Deserialize, Serialize};
use vouch_crds::{
    duration::Duration,
    issuer::{KeyState, KeyStatus, SigningAlgorithm, VouchIssuer, VouchIssuerStatus},
    names::condition,
};
use vouch_issuer::admin::moment;

use super::trouble::Trouble;
use crate::{status::find, tolerant::Tolerant};

/// What is known of an issuer's signing keys. So much is read also of a `VouchIssuer` that this version cannot read as a
/// whole: a key that has leaked is revoked whatever a newer definition has elsewhere.
#[derive(Debug, Clone)]
pub struct IssuerKeys {
    /// The VouchIssuer.
    pub name: String,
    /// The operator carries out no order.
    pub paused: bool,
    /// How long a key stays published after it signed last.
    pub retention: Option<Duration>,
    /// What the operator reports.
    pub status: VouchIssuerStatus,
}

/// What keys need of a declaration.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Declared {
    paused: bool,
    signing_keys: DeclaredKeys,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeclaredKeys {
    retain_retired: Option<Duration>,
}

impl From<&VouchIssuer> for IssuerKeys {
    fn from(issuer: &VouchIssuer) -> Self {
        Self {
            name: issuer.name_any(),
            paused: issuer.spec.paused,
            retention: Some(issuer.spec.signing_keys.retain_retired),
            status: issuer.status.clone().unwrap_or_default(),
        }
    }
}

impl TryFrom<&Tolerant<VouchIssuer>> for IssuerKeys {
    type Error = Trouble;

    fn try_from(issuer: &Tolerant<VouchIssuer>) -> Result<Self, Trouble> {
        let unreadable = match issuer {
            Tolerant::Readable(issuer) => return Ok(Self::from(&**issuer)),
            Tolerant::Unreadable(unreadable) => unreadable,
        };
        let name = unreadable.name().to_owned();
        let read = unreadable.spec::<Declared>().and_then(|declared| Ok((declared, unreadable.status()?)));
        match read {
            Ok((Declared { paused, signing_keys }, status)) => {
                Ok(Self { name, paused, retention: signing_keys.retain_retired, status })
            }
            Err(error) => {
                let object = format!("the signing keys of VouchIssuer {name}");
                Err(Trouble::Unreadable { object, why: error.to_string() })
            }
        }
    }
}

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
    pub fn of(issuer: &IssuerKeys, now: Timestamp) -> Self {
        let status = &issuer.status;
        let next_rotation = status.next_rotation.as_ref().map(|at| at.0);
        let published = status.keys.iter().filter(|key| key.state != KeyState::Revoked);
        let mut keys: Vec<KeyRow> = published.map(|key| row(key, issuer.retention, next_rotation)).collect();
        // As an issuer that runs alone has them: by state, by algorithm, newest first.
        let state = |key: &KeyRow| ["active", "next", "retired"].iter().position(|state| *state == key.state);
        keys.sort_by_key(|key| (state(key), key.algorithm.as_str(), Reverse(key.published_at)));
        let revoked = status.keys.iter().filter(|key| key.state == KeyState::Revoked);
        let revoked = revoked.map(|key| RevokedKey {
            kid: key.kid.clone(),
            revoked_at: key.retired_at.as_ref().unwrap_or(&key.published_at).0,
        });
        let failing = find(&status.conditions, condition::KEYS_READY).filter(|condition| condition.status != "True");
        let problem = failing.map(|found| Problem { reason: found.reason.clone(), message: found.message.clone() });
        Self { issuer: issuer.name.clone(), keys, revoked: revoked.collect(), next_rotation, problem, now }
    }

    /// The key that signs ES256 tokens.
    #[must_use]
    pub fn active(&self) -> Option<&str> {
        let es256 = |key: &&KeyRow| key.state == "active" && key.algorithm == SigningAlgorithm::Es256;
        self.keys.iter().find(es256).map(|key| key.kid.as_str())
    }
}

fn row(key: &KeyStatus, retention: Option<Duration>, next_rotation: Option<Timestamp>) -> KeyRow {
    // The operator reports the next rotation of ES256 keys, which every issuer has.
    let rotation = next_rotation.filter(|_| key.algorithm == SigningAlgorithm::Es256);
    let retired_at = key.retired_at.as_ref().map(|at| at.0);
    let goes_at = retired_at.zip(retention.map(std::time::Duration::from));
    let goes_at = goes_at.and_then(|(at, retention)| at.checked_add(retention).ok());
    let step = |step| move |at| Next { step, at };
    let (state, next) = match key.state {
        KeyState::Next => ("next", rotation.map(step("signs"))),
        KeyState::Active => ("active", rotation.map(step("retires"))),
        KeyState::Retired | KeyState::Revoked => ("retired", goes_at.map(step("goes"))),
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
            let algorithm = key.algorithm.as_str();
            writeln!(f, "{:43}  {algorithm:9}  {:8}  {published:16}  {activated:16}  {next}", key.kid, key.state)?;
        }
        for key in &self.revoked {
            let since = moment(key.revoked_at, self.now);
            writeln!(f, "{:43}  {:9}  revoked   {:16}  {:16}  - (since {since})", key.kid, "-", "-", "-")?;
        }
        match &self.problem {
            Some(Problem { reason, message }) => writeln!(f, "{reason}: {message}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::plugin::testing::{issuer_with_keys, kid, later_json, moment as at, status};

    #[test]
    fn every_key_says_what_happens_to_it_next() {
        let table = KeyTable::of(&IssuerKeys::from(&issuer_with_keys()), at("2026-11-21T09:00:00Z"));
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
        let mut issuer = IssuerKeys::from(&issuer_with_keys());
        let ready = issuer.status.conditions.iter_mut().find(|found| found.type_ == condition::KEYS_READY).unwrap();
        ready.status = "False".to_owned();
        ready.reason = "KeySecretMissing".to_owned();
        ready.message = "Secret vouch-signing-keys is gone.".to_owned();
        let text = KeyTable::of(&issuer, at("2026-11-21T09:00:00Z")).to_string();
        assert!(text.ends_with("KeySecretMissing: Secret vouch-signing-keys is gone.\n"), "{text}");
    }

    #[test]
    fn the_keys_of_an_issuer_of_a_later_version_are_known_unless_they_are_of_it_themselves() {
        let known = |object| IssuerKeys::try_from(&serde_json::from_value::<Tolerant<VouchIssuer>>(object).unwrap());
        let mut later = later_json("vouch");
        later["status"] = status();
        let now = at("2026-11-21T09:00:00Z");
        let of_later = KeyTable::of(&known(later.clone()).unwrap(), now).to_string();
        assert_eq!(of_later, KeyTable::of(&IssuerKeys::from(&issuer_with_keys()), now).to_string());

        later["spec"]["paused"] = true.into();
        assert!(known(later.clone()).unwrap().paused);
        later["status"]["keys"][0]["state"] = "Borrowed".into();
        let told = known(later).unwrap_err().to_string();
        assert!(told.contains("the signing keys of VouchIssuer vouch: unknown variant `Borrowed`"), "{told}");
    }
}
