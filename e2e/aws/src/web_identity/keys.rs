//! The key for a token, from the issuer or from what was kept of it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::documents::{self, FetchError, Fetched};
use super::jwk::{Jwk, KeySet};
use super::jwt::Jwt;
use crate::knobs::JwksKnobs;
use crate::standin::Standin;
use crate::wire::Fault;
use crate::world::OidcProvider;

/// Two spaces after the comma, no full stop: as recorded.
const NO_KEY: &str = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements";

/// Kept key sets, by issuer.
#[derive(Debug, Default)]
pub struct KeySetCache(Mutex<HashMap<String, Kept>>);

#[derive(Debug, Clone)]
struct Kept {
    keys: KeySet,
    until: Timestamp,
}

impl KeySetCache {
    fn get(&self, issuer: &str, now: Timestamp) -> Option<KeySet> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(issuer).filter(|kept| now < kept.until).map(|kept| kept.keys.clone())
    }

    fn put(&self, issuer: &str, keys: KeySet, until: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(issuer.to_owned(), Kept { keys, until });
    }
}

/// The key that a token names.
///
/// # Errors
/// `InvalidIdentityToken` when the issuer's documents cannot be had or lack the key; a knob turns the former into
/// `IDPCommunicationError`.
pub async fn find(standin: &Standin, provider: &OidcProvider, jwt: &Jwt, now: Timestamp) -> Result<Jwk, Fault> {
    let knobs = standin.knobs().jwks.clone();
    let issuer = provider.issuer();
    if let Some(keys) = standin.key_sets.get(&issuer, now) {
        match keys.find(jwt.key_id.as_deref()) {
            Some(key) => return Ok(key.clone()),
            None if !knobs.refetch_on_unknown_kid => return Err(no_key()),
            None => {}
        }
    }
    let fetched = documents::key_set(standin, provider).await.map_err(|error| {
        tracing::info!(%issuer, %error, "cannot read the issuer's documents");
        refusal(&error, &knobs)
    })?;
    standin.key_sets.put(&issuer, fetched.keys.clone(), kept_until(&fetched, &knobs, now));
    fetched.keys.find(jwt.key_id.as_deref()).cloned().ok_or_else(no_key)
}

fn kept_until(fetched: &Fetched, knobs: &JwksKnobs, now: Timestamp) -> Timestamp {
    let sent = fetched.max_age.filter(|_| knobs.honour_max_age).unwrap_or(0);
    let seconds = knobs.ttl_override.unwrap_or(sent);
    now.checked_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
}

fn refusal(error: &FetchError, knobs: &JwksKnobs) -> Fault {
    match error {
        FetchError::Thumbprint => Fault::invalid_identity_token(
            "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
        ),
        FetchError::Unreachable(_) if knobs.unreachable_is_communication_error => {
            Fault::new("IDPCommunicationError", 400, "Could not connect to the identity provider")
        }
        FetchError::Unreachable(_) | FetchError::Document(_) => no_key(),
    }
}

fn no_key() -> Fault {
    Fault::invalid_identity_token(NO_KEY)
}
