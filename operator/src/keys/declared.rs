//! What keys follow of a `VouchIssuer`, and what is known of them.
//!
//! Of an object that this version cannot read as a whole, that part is read by itself: keys go on rotating, and are revoked
//! when they leak, whatever a newer definition has elsewhere. Where that part itself cannot be read, nothing is guessed.

use jiff::Timestamp;
use kube::Resource as _;
use serde::{Deserialize, Serialize, de::Error as _};
use serde_json::Value;
use vouch_crds::{
    issuer::{Aws, KeyState, KeyStatus, Session, SigningKeys, VouchIssuer, VouchIssuerStatus},
    names::signing_keys,
};
use vouch_issuer::admin::FrontEnd;
use vouch_keyring::{KeyPolicy, KeySet, Kid, PolicyError};

use super::{
    fault::{KeyFault, Stranger},
    orders::Orders,
};
use crate::tolerant::{Tolerant, Unreadable};

/// Nobody can tell how keys are to rotate.
#[derive(Debug, thiserror::Error)]
pub enum UndeclaredError {
    /// The declaration contradicts itself in a way that its schema would have refused.
    #[error("spec.signingKeys: {0}")]
    Policy(#[from] PolicyError),
    /// This version cannot read it.
    #[error(
        "this version of the operator cannot read what signing keys follow (spec.url, spec.signingKeys, spec.session, \
         spec.paused); they stay as they are, and nothing rotates"
    )]
    Unreadable(#[source] serde_json::Error),
    /// This version cannot read what it, or another, has reported.
    #[error(
        "this version of the operator cannot read what was reported of signing keys (status); they stay as they are: \
         nothing rotates, and no key is revoked"
    )]
    Unreported(#[source] serde_json::Error),
}

/// What an issuer declares about its keys, and what is known of them.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The issuer's name.
    pub name: String,
    /// Where it is.
    pub namespace: String,
    /// The exact `iss`.
    pub url: String,
    /// Nothing is to be done.
    pub paused: bool,
    /// The orders that stand.
    pub orders: Orders,
    /// How keys rotate.
    pub policy: KeyPolicy,
    /// What was reported last.
    pub status: VouchIssuerStatus,
}

/// What keys follow.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Followed {
    url: String,
    signing_keys: SigningKeys,
    session: Session,
    paused: bool,
}

impl Followed {
    /// Reads it of an object that this version cannot read as a whole. An API server has filled in what was left out: where
    /// something is missing, the definition has it no more, and a default of this version would be a guess.
    fn of(issuer: &Unreadable) -> Result<Self, serde_json::Error> {
        let followed: Self = issuer.spec()?;
        match missing(&serde_json::to_value(&followed)?, &issuer.spec()?) {
            Some(member) => Err(serde_json::Error::custom(format_args!("missing field `{member}`"))),
            None => Ok(followed),
        }
    }
}

/// The first member, at any depth, that was read and not declared.
fn missing(read: &Value, declared: &Value) -> Option<String> {
    read.as_object()?.iter().find_map(|(name, read)| match declared.get(name) {
        None => Some(name.clone()),
        Some(declared) => missing(read, declared).map(|inner| format!("{name}.{inner}")),
    })
}

impl Declared {
    /// What an issuer declares.
    ///
    /// # Errors
    /// When its keys could not rotate like that, or nobody can read how they should.
    pub fn of(issuer: &Tolerant<VouchIssuer>) -> Result<Self, UndeclaredError> {
        let (followed, status) = match issuer {
            Tolerant::Readable(issuer) => {
                let spec = &issuer.spec;
                let followed = Followed {
                    url: spec.url.clone(),
                    signing_keys: spec.signing_keys.clone(),
                    session: spec.session.clone(),
                    paused: spec.paused,
                };
                (followed, issuer.status.clone().unwrap_or_default())
            }
            Tolerant::Unreadable(issuer) => (
                Followed::of(issuer).map_err(UndeclaredError::Unreadable)?,
                issuer.status().map_err(UndeclaredError::Unreported)?,
            ),
        };
        let Followed { url, signing_keys, session, paused } = followed;
        // Any token for AWS ends before the shortest session does.
        let token_lifetime = Aws::default().token_lifetime;
        Ok(Self {
            name: issuer.meta().name.clone().unwrap_or_default(),
            namespace: issuer.meta().namespace.clone().unwrap_or_default(),
            url,
            paused,
            orders: Orders::of(issuer.meta().annotations.as_ref()),
            policy: vouch_issuer::config::key_policy(&signing_keys, session.lifetime, token_lifetime)?,
            status,
        })
    }

    /// The fault of a Secret that publishes a key which was revoked.
    #[must_use]
    pub fn restored(&self, kid: &Kid) -> KeyFault {
        let again = self.front_end().command(format_args!("revoke-key {kid}"));
        KeyFault::Restored { secret: signing_keys::name(&self.name), kid: kid.clone(), again }
    }

    /// The fault of a Secret that is another issuer's.
    #[must_use]
    pub fn foreign(&self, secret: String, found: Option<String>) -> KeyFault {
        KeyFault::Foreign { strangers: vec![Stranger { secret, found }], url: self.url.clone() }
    }

    /// How commands about it are written.
    #[must_use]
    pub fn front_end(&self) -> FrontEnd {
        FrontEnd::kubectl_vouch().with("-n", &self.namespace)
    }

    /// When the keys were made that this issuer has, or has lost.
    #[must_use]
    pub fn initialized_at(&self) -> Option<Timestamp> {
        self.status.keys_initialized_at.as_ref().map(|time| time.0)
    }

    /// The keys of which it is known that they were revoked.
    fn revoked(&self) -> impl Iterator<Item = &KeyStatus> {
        self.status.keys.iter().filter(|key| key.state == KeyState::Revoked)
    }

    /// The keys that the set publishes although they were revoked.
    #[must_use]
    pub fn resurrected(&self, set: &KeySet) -> Vec<Kid> {
        self.revoked().filter_map(|key| key.kid.parse().ok()).filter(|kid| set.key(kid).is_some()).collect()
    }
}
