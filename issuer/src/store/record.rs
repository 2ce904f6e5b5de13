//! What is kept of a person.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vouch_iam::identity::EmailAddress;
use webauthn_rs::prelude::Passkey;

/// Opaque and stable; the WebAuthn user handle. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub Uuid);

/// The raw credential id of a key, as base64url text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CredentialId(pub String);

/// Keyed hash of an invite code, as base64url text; the code itself is never stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InviteHash(pub String);

/// A person.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRecord {
    /// The user handle.
    pub id: UserId,
    /// Unique in the store.
    pub email: EmailAddress,
    /// Sorted, without duplicates.
    #[serde(default)]
    pub groups: Vec<String>,
    /// No login, no session, no credential.
    #[serde(default)]
    pub disabled: bool,
    /// When the record was made.
    pub created_at: Timestamp,
    /// Sessions begun before this moment are over.
    pub sessions_valid_from: Timestamp,
    /// In the order of enrollment.
    #[serde(default)]
    pub keys: Vec<EnrolledKey>,
    /// The last invite, kept after use so that a second try can be told what happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<Invite>,
    /// Challenges of verified assertions that have not expired: an assertion works once even for a key whose
    /// counter does not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_challenges: Vec<UsedChallenge>,
}

impl UserRecord {
    /// Ends every session that has begun. A session that begins afterwards is not touched, even when the clocks of the
    /// replicas differ: every beginning is in the record as a key's `last_used_at`, and this moment is later than all.
    pub fn end_sessions(&mut self, now: Timestamp) {
        let begun = self.keys.iter().filter_map(|key| key.last_used_at).max();
        let after = begun.and_then(|begun| begun.checked_add(SignedDuration::from_nanos(1)).ok());
        self.sessions_valid_from = self.sessions_valid_from.max(now).max(after.unwrap_or(now));
    }

    /// The key with this id.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&EnrolledKey> {
        self.keys.iter().find(|key| key.id == id)
    }
}

/// A key of a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolledKey {
    /// 16 hexadecimal digits of the SHA-256 of the credential id.
    pub id: String,
    /// The raw credential id.
    pub credential_id: CredentialId,
    /// What the person calls it.
    pub name: String,
    /// The model it proved or claimed.
    pub aaguid: Option<Uuid>,
    /// Whether its attestation was verified to a trusted root.
    pub attested: bool,
    /// When it was enrolled.
    pub created_at: Timestamp,
    /// The last assertion: when the last session with it began.
    pub last_used_at: Option<Timestamp>,
    /// Public key, counter and flags, as webauthn-rs keeps them.
    pub passkey: Passkey,
}

/// A one-time invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// Finds it again.
    pub hash: InviteHash,
    /// Not redeemable from this moment on.
    pub expires_at: Timestamp,
    /// When it was redeemed.
    pub used_at: Option<Timestamp>,
}

/// A challenge whose assertion has been accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsedChallenge {
    /// base64url of the first 16 bytes of the challenge's SHA-256.
    pub digest: String,
    /// Forgotten after this moment, when the sealed state has expired anyway.
    pub expires_at: Timestamp,
}
