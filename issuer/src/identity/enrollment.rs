//! Registering a key: the first one by a one-time invite, further ones by a session and a fresh assertion.
//!
//! A credential appears in a record together with what paid for it (the used invite, the used challenge) in one
//! compare-and-swap: there is no half-enrolled key, and nothing pays twice.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vouch_issuer_api::enroll::{RegisterKeyRequest, RegistrationChallenge};
use webauthn_rs::prelude::PasskeyRegistration;

use super::{
    change::change,
    invite::InviteCode,
    keys::{distinct_name, parse_name},
    login::{challenge_digest, lifetime_seconds, mark_used},
    refusal::Refusal,
    seal::{self, Purpose},
    secrets::Secrets,
    webauthn::{Acceptance, AcceptedCredential, CEREMONY_LIFETIME, RelyingParty, credential_id},
};
use crate::{
    config::{Config, Organization},
    store::{
        Store, StoreError, Stored,
        record::{EnrolledKey, InviteHash, UsedChallenge, UserId, UserRecord},
    },
};

/// Keys of one person: what bounds a record's size and the list of excluded credentials.
const MAX_KEYS: usize = 32;

/// The longest credential id, in bytes. WebAuthn Level 3 §4 allows 1023, security keys make 16 to 128. With the limit, the
/// sealed state of a registration that excludes all keys of a person stays below what is opened again, and a request with
/// it below what is read.
const MAX_CREDENTIAL_ID: usize = 255;

/// What a registration is made with.
#[derive(Debug)]
pub struct Registrar<'a> {
    /// The relying party.
    pub party: RelyingParty,
    /// Which keys are accepted now.
    pub acceptance: Acceptance,
    organization: &'a Organization,
    invites: bool,
    secrets: &'a Secrets,
}

/// What a registration is paid with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Price {
    /// This invite.
    Invite(InviteHash),
    /// The assertion that was consumed for the challenge; the challenge itself works once.
    Assertion {
        /// When: what a logout everywhere is compared with.
        at: Timestamp,
        /// By which key, as [`EnrolledKey::id`]: a key that has been removed pays for nothing any more.
        key: String,
    },
}

/// A registration that has come back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenRegistration {
    user: UserId,
    price: Price,
    registration: PasskeyRegistration,
    used: UsedChallenge,
}

impl<'a> Registrar<'a> {
    /// By the configuration in force.
    ///
    /// # Errors
    /// Only faults of the issuer.
    pub fn new(config: &'a Config, secrets: &'a Secrets) -> Result<Self, Refusal> {
        let (organization, invites) = (&config.organization, config.enrollment.invites);
        let party = RelyingParty::new(&config.url, &organization.name)?;
        Ok(Self { party, acceptance: Acceptance::of(&config.authenticators)?, organization, invites, secrets })
    }

    /// Creation options for the first key of an invited person. Nothing is written.
    ///
    /// # Errors
    /// When the invite cannot be redeemed now, or the person is disabled.
    pub fn offer_for_invite(&self, user: &UserRecord, now: Timestamp) -> Result<RegistrationChallenge, Refusal> {
        let hash = user.invite.as_ref().map(|invite| &invite.hash).ok_or(Refusal::InviteUnknown)?;
        self.check_invite(user, hash, now)?;
        self.offer(user, Price::Invite(hash.clone()), now)
    }

    /// Creation options for a further key of a person who has just made an assertion with `key`. Nothing is written.
    ///
    /// # Errors
    /// When the person has too many keys.
    pub fn offer_for_assertion(
        &self,
        user: &UserRecord,
        key: &EnrolledKey,
        now: Timestamp,
    ) -> Result<RegistrationChallenge, Refusal> {
        // As the assertion was dated: a logout everywhere that follows is later, whatever the clocks say.
        self.offer(user, Price::Assertion { at: now.max(user.sessions_valid_from), key: key.id.clone() }, now)
    }

    fn offer(&self, user: &UserRecord, price: Price, now: Timestamp) -> Result<RegistrationChallenge, Refusal> {
        check_room(user)?;
        let (options, registration) = self.party.start_registration(user, &self.acceptance)?;
        let expires_at = now.saturating_add(CEREMONY_LIFETIME).unwrap_or(Timestamp::MAX);
        let used = UsedChallenge { digest: challenge_digest(&options.public_key.challenge), expires_at };
        let open = OpenRegistration { user: user.id, price, registration, used };
        let state = seal::seal(self.secrets, open.price.purpose(), &open, expires_at)?;
        Ok(RegistrationChallenge {
            options,
            state,
            expires_in: lifetime_seconds(),
            email: user.email.to_string(),
            organization: self.organization.name.clone(),
            accepted_aaguids: self.acceptance.allowed_aaguids().to_vec(),
            attestation_required: self.acceptance.requires_attestation(),
            first_key: user.keys.is_empty(),
        })
    }

    /// Opens the state of a registration that an invite pays for.
    ///
    /// # Errors
    /// When it is not this issuer's, not for an invite, or has expired.
    pub fn open_enrollment(&self, state: &str, now: Timestamp) -> Result<OpenRegistration, Refusal> {
        Ok(seal::open(self.secrets, Purpose::Enrollment, state, now)?)
    }

    /// Opens the state of a registration that an assertion has paid for.
    ///
    /// # Errors
    /// When it is not this issuer's, not for a further key, or has expired.
    pub fn open_additional_key(&self, state: &str, now: Timestamp) -> Result<OpenRegistration, Refusal> {
        Ok(seal::open(self.secrets, Purpose::AdditionalKey, state, now)?)
    }

    /// Verifies a new credential and enrolls it for `owner`.
    ///
    /// # Errors
    /// What is wrong with it, or why it cannot be paid for; nothing is enrolled then.
    pub async fn register(
        &self,
        store: &dyn Store,
        owner: Stored,
        open: &OpenRegistration,
        request: &RegisterKeyRequest,
        now: Timestamp,
    ) -> Result<(UserRecord, EnrolledKey), Refusal> {
        if owner.user.id != open.user {
            return Err(Refusal::ForeignKey);
        }
        let name = request.name.as_deref().map(parse_name).transpose()?;
        // Decided once before the signatures are looked at, so that a used invite is called by its name.
        self.pay(&owner.user, open, now)?;
        if store.user_by_credential(&credential_id(&request.credential.raw_id)).await?.is_some() {
            return Err(Refusal::KeyAlreadyEnrolled);
        }
        let accepted =
            self.party.verify_registration(&request.credential, &open.registration, &self.acceptance, now)?;
        let id_length = accepted.passkey.cred_id().len();
        if id_length > MAX_CREDENTIAL_ID {
            return Err(Refusal::CredentialIdTooLong(id_length));
        }
        change(store, owner, |user| {
            let mut next = self.pay(user, open, now)?;
            let name = distinct_name(user, name.as_deref().unwrap_or(self.acceptance.product()));
            let key = new_key(&accepted, name, now);
            next.keys.push(key.clone());
            Ok((next, key))
        })
        .await
    }

    /// Whether an invite can be redeemed now, by its person and by the configuration in force.
    fn check_invite(&self, user: &UserRecord, hash: &InviteHash, now: Timestamp) -> Result<(), Refusal> {
        let invite = user.invite.as_ref().filter(|invite| invite.hash == *hash).ok_or(Refusal::InviteUnknown)?;
        if invite.used_at.is_some() {
            return Err(Refusal::InviteUsed);
        }
        // Before its time is looked at: "ask for a new invite" would be no help.
        if !self.invites {
            return Err(Refusal::InvitesOff);
        }
        if now >= invite.expires_at {
            return Err(Refusal::InviteExpired);
        }
        self.check_person(user)
    }

    fn check_person(&self, user: &UserRecord) -> Result<(), Refusal> {
        if user.disabled {
            return Err(Refusal::Disabled);
        }
        if !self.organization.contains(&user.email) {
            return Err(Refusal::ForeignDomain);
        }
        Ok(())
    }

    /// The record with the registration paid for.
    fn pay(&self, user: &UserRecord, open: &OpenRegistration, now: Timestamp) -> Result<UserRecord, Refusal> {
        let mut next = user.clone();
        match &open.price {
            Price::Invite(hash) => {
                self.check_invite(user, hash, now)?;
                if let Some(invite) = &mut next.invite {
                    invite.used_at = Some(now);
                }
            }
            Price::Assertion { at, .. } if *at < user.sessions_valid_from => return Err(Refusal::LoggedOut),
            Price::Assertion { key, .. } if user.key(key).is_none() => return Err(Refusal::PayingKeyRemoved),
            Price::Assertion { .. } => mark_used(&mut next, &open.used, now)?,
        }
        self.check_person(user)?;
        check_room(user)?;
        Ok(next)
    }
}

impl Price {
    const fn purpose(&self) -> Purpose {
        match self {
            Self::Invite(_) => Purpose::Enrollment,
            Self::Assertion { .. } => Purpose::AdditionalKey,
        }
    }
}

impl OpenRegistration {
    /// Whose key it will be.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }
}

/// Whose invite a code is.
///
/// # Errors
/// When it is nobody's, or the store fails.
pub async fn invited(store: &dyn Store, secrets: &Secrets, code: &str) -> Result<Stored, Refusal> {
    let code: InviteCode = code.parse()?;
    store.user_by_invite(&code.hash(secrets)).await?.ok_or(Refusal::InviteUnknown)
}

/// The person of a registration that has come back.
///
/// # Errors
/// When there is no such person any more, or the store fails.
pub async fn registrant(store: &dyn Store, open: &OpenRegistration) -> Result<Stored, Refusal> {
    Ok(store.user(open.user).await?.ok_or(StoreError::Missing)?)
}

fn check_room(user: &UserRecord) -> Result<(), Refusal> {
    if user.keys.len() >= MAX_KEYS { Err(Refusal::TooManyKeys(user.keys.len())) } else { Ok(()) }
}

fn new_key(accepted: &AcceptedCredential, name: String, now: Timestamp) -> EnrolledKey {
    let raw_id = accepted.passkey.cred_id();
    let id = digest(&SHA256, raw_id).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    EnrolledKey {
        id,
        credential_id: credential_id(raw_id),
        name,
        aaguid: accepted.accepted.aaguid,
        attested: accepted.accepted.attested,
        created_at: now,
        last_used_at: None,
        passkey: accepted.passkey.clone(),
    }
}
