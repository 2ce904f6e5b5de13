//! Signing in: a challenge for any enrolled key, and its assertion, which works once.
//!
//! A challenge leaves no trace here. It travels sealed through the client, and only a verified assertion writes: one
//! compare-and-swap marks the challenge used, raises the counter and notes the time.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vouch_issuer_api::oauth::ChallengeResponse;
use webauthn_rs::prelude::PublicKeyCredential;

use super::{
    change::change,
    refusal::Refusal,
    seal::{self, Purpose},
    secrets::Secrets,
    webauthn::{CEREMONY_LIFETIME, DiscoverableAuthentication, RelyingParty, credential_id},
};
use crate::{
    config::Organization,
    store::{
        Store, Stored,
        record::{EnrolledKey, UsedChallenge, UserRecord},
    },
};

/// Used challenges that one record remembers: what bounds its size. Several times what a person does in five minutes.
const MAX_USED_CHALLENGES: usize = 64;

/// A challenge that has come back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenChallenge {
    authentication: DiscoverableAuthentication,
    used: UsedChallenge,
}

/// A verified assertion, consumed.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Whose, as it is now.
    pub user: UserRecord,
    /// By which key.
    pub key: EnrolledKey,
    /// When. Later than the last logout everywhere, even by a clock that is behind.
    pub at: Timestamp,
}

/// A fresh challenge. Nothing is written.
///
/// # Errors
/// Only faults of the issuer.
pub fn challenge(party: &RelyingParty, secrets: &Secrets, now: Timestamp) -> Result<ChallengeResponse, Refusal> {
    let (options, authentication) = party.start_assertion()?;
    let expires_at = now.saturating_add(CEREMONY_LIFETIME).unwrap_or(Timestamp::MAX);
    let used = UsedChallenge { digest: challenge_digest(&options.public_key.challenge), expires_at };
    let state = seal::seal(secrets, Purpose::Assertion, &OpenChallenge { authentication, used }, expires_at)?;
    Ok(ChallengeResponse { options, state, expires_in: lifetime_seconds() })
}

/// Opens the state of an assertion.
///
/// # Errors
/// When it is not this issuer's, or has expired.
pub fn open_challenge(secrets: &Secrets, state: &str, now: Timestamp) -> Result<OpenChallenge, Refusal> {
    Ok(seal::open(secrets, Purpose::Assertion, state, now)?)
}

/// Whose credential an assertion claims to be by. Nothing is proven yet.
///
/// # Errors
/// When it is nobody's, or the store fails.
pub async fn owner(store: &dyn Store, assertion: &PublicKeyCredential) -> Result<Stored, Refusal> {
    let found = store.user_by_credential(&credential_id(&assertion.raw_id)).await?;
    found.ok_or(Refusal::KeyUnknown)
}

/// An assertion that has come back with its challenge, and what it is judged by.
#[derive(Debug)]
pub struct Answered<'a> {
    /// The relying party.
    pub party: &'a RelyingParty,
    /// Whose people may sign in.
    pub organization: &'a Organization,
    /// The challenge.
    pub challenge: &'a OpenChallenge,
    /// What the key made of it.
    pub assertion: &'a PublicKeyCredential,
    /// The time.
    pub now: Timestamp,
}

impl Answered<'_> {
    /// Verifies the assertion as one by a key of `owner` and consumes it.
    ///
    /// # Errors
    /// What is wrong with it; a second redemption, however close to the first, is refused.
    pub async fn consume(&self, store: &dyn Store, owner: Stored) -> Result<SignedIn, Refusal> {
        let (user, (key, at)) = change(store, owner, |user| self.decide(user)).await?;
        Ok(SignedIn { user, key, at })
    }

    /// Verifies the assertion as one by a key of `owner`, consumes it, and changes the record with the same
    /// compare-and-swap.
    ///
    /// # Errors
    /// What is wrong with it, and what `act` refuses; the assertion is not consumed then.
    pub(super) async fn consume_for<T>(
        &self,
        store: &dyn Store,
        owner: Stored,
        act: impl Fn(UserRecord) -> Result<(UserRecord, T), Refusal> + Send + Sync,
    ) -> Result<T, Refusal> {
        Ok(change(store, owner, |user| act(self.decide(user)?.0)).await?.1)
    }

    fn decide(&self, user: &UserRecord) -> Result<(UserRecord, (EnrolledKey, Timestamp)), Refusal> {
        let Self { party, organization, challenge, assertion, now } = *self;
        // The library ignores the user handle: https://www.w3.org/TR/webauthn-3/#sctn-verifying-assertion, step 6.
        if assertion.get_user_unique_id() != Some(user.id.0.as_bytes().as_slice()) {
            return Err(Refusal::UserHandle);
        }
        let mut next = user.clone();
        mark_used(&mut next, &challenge.used, now)?;
        let at = now.max(user.sessions_valid_from);
        let credential = credential_id(&assertion.raw_id);
        let key = next.keys.iter_mut().find(|key| key.credential_id == credential).ok_or(Refusal::KeyUnknown)?;
        let result = party.verify_assertion(assertion, challenge.authentication.clone(), &key.passkey)?;
        if user.disabled {
            return Err(Refusal::Disabled);
        }
        if !organization.contains(&user.email) {
            return Err(Refusal::ForeignDomain);
        }
        key.passkey.update_credential(&result);
        key.last_used_at = key.last_used_at.max(Some(at));
        let key = key.clone();
        Ok((next, (key, at)))
    }
}

/// Remembers a challenge until it expires.
pub(super) fn mark_used(user: &mut UserRecord, used: &UsedChallenge, now: Timestamp) -> Result<(), Refusal> {
    user.used_challenges.retain(|earlier| earlier.expires_at > now);
    if user.used_challenges.iter().any(|earlier| earlier.digest == used.digest) {
        return Err(Refusal::Replayed);
    }
    if user.used_challenges.len() >= MAX_USED_CHALLENGES {
        return Err(Refusal::TooManyAssertions);
    }
    user.used_challenges.push(used.clone());
    Ok(())
}

/// [`UsedChallenge::digest`].
pub(super) fn challenge_digest(challenge: &[u8]) -> String {
    let digest = digest(&SHA256, challenge);
    URL_SAFE_NO_PAD.encode(digest.as_ref().get(..16).unwrap_or_default())
}

/// [`CEREMONY_LIFETIME`] for clients.
pub(super) fn lifetime_seconds() -> u32 {
    u32::try_from(CEREMONY_LIFETIME.as_secs()).unwrap_or(u32::MAX)
}
