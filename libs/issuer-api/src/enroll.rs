//! Registering keys: the first one by invite, further ones by an assertion of an existing one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use webauthn_rs_proto::{CreationChallengeResponse, PublicKeyCredential, RegisterPublicKeyCredential};

/// Body of `POST /v1/enroll/challenge`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnrollChallengeRequest {
    /// The invite code; letter case, spaces and dashes do not matter.
    pub code: String,
}

/// Body of `POST /v1/keys/challenge`, with a session: the fresh assertion proves that the person is at the keyboard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddKeyChallengeRequest {
    /// [`crate::oauth::ChallengeResponse::state`].
    pub state: String,
    /// By a key the same person has enrolled.
    pub assertion: PublicKeyCredential,
}

/// What a client needs to make a credential. The answer of both challenge endpoints.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RegistrationChallenge {
    /// WebAuthn Level 3 §5.4, asking for a resident key; excludes the keys the person has.
    pub options: CreationChallengeResponse,
    /// Sealed by the issuer; comes back unread with the new credential.
    pub state: String,
    /// Seconds until `state` is worthless.
    pub expires_in: u32,
    /// Whose key it will be.
    pub email: String,
    /// The organisation's name, to show.
    pub organization: String,
    /// Models the policy accepts. Empty: any. A client compares before it touches the key, so that no refused
    /// credential stays behind on it.
    pub accepted_aaguids: Vec<Uuid>,
    /// Whether a key that cannot prove its maker is refused.
    pub attestation_required: bool,
    /// Whether this will be the person's first key.
    pub first_key: bool,
}

/// Body of `POST /v1/enroll` and `POST /v1/keys`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RegisterKeyRequest {
    /// [`RegistrationChallenge::state`].
    pub state: String,
    /// The new credential with its attestation.
    pub credential: RegisterPublicKeyCredential,
    /// What the person calls the key; 1 to 64 characters. Absent: the product's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One enrolled key, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// 16 hexadecimal digits: the start of the SHA-256 of the credential id.
    pub id: String,
    /// What the person calls it.
    pub name: String,
    /// The model (FIDO Metadata); absent when the key did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aaguid: Option<Uuid>,
    /// When it was enrolled.
    pub created_at: Timestamp,
    /// The last assertion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// Whether the asking session was begun with it.
    pub current: bool,
    /// base64url; lets a client ask for this credential only, or delete it from the key.
    pub credential_id: String,
}

/// Answer of `GET /v1/keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyList {
    /// In the order of enrollment.
    pub keys: Vec<KeyInfo>,
}

/// Body of `PATCH /v1/keys/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenameKeyRequest {
    /// 1 to 64 characters.
    pub name: String,
}

/// Body of `POST /v1/keys/{id}/removal`, with a session: the fresh assertion proves that the person is at the keyboard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveKeyRequest {
    /// [`crate::oauth::ChallengeResponse::state`].
    pub state: String,
    /// By a key the same person has enrolled; the one to be removed will do.
    pub assertion: PublicKeyCredential,
    /// Without it the last key is not removed ([`crate::error::ErrorCode::LastKey`]).
    #[serde(default)]
    pub allow_last: bool,
}
