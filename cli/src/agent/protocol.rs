//! What the command line and the agent say to each other: one JSON line each way on a unix socket.
//!
//! The agent never hands out the session token or the DPoP key; the only secrets that cross are AWS credentials,
//! which the person's own tools asked for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vouch_iam::arn::RoleArn;
use vouch_issuer_api::{
    aws::AwsRole,
    enroll::{AddKeyChallengeRequest, KeyInfo, RegisterKeyRequest, RegistrationChallenge, RemoveKeyRequest},
    oauth::ChallengeResponse,
    session::SessionInfo,
};
use webauthn_rs_proto::PublicKeyCredential;

use crate::{error::Failure, overrides::Override};

/// Raised when a message changes its meaning; an agent of another version is replaced.
pub const VERSION: u32 = 1;

/// The longest line either side reads, in bytes.
pub const MAX_LINE: usize = 1024 * 1024;

/// One line from a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// [`VERSION`] of the client.
    pub v: u32,
    /// What is asked.
    #[serde(flatten)]
    pub request: Request,
}

/// What a client may ask. `stop` is understood whatever the version, so that any client can replace any agent.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// The hot path: credentials for a role, from the cache when they are fresh.
    AwsCredentials(AwsCredentialsRequest),
    /// How the agent is and what it holds.
    Status,
    /// End the agent; the session and the cache are forgotten.
    Stop,
    /// Whether what answers at a URL is the issuer of that name. To be asked before anything is sent to a new one.
    CheckIssuer {
        /// The URL.
        issuer: String,
    },
    /// Fetch a login challenge from `issuer`.
    LoginChallenge {
        /// The configured issuer URL.
        issuer: String,
    },
    /// Redeem an assertion over the last login challenge; the agent then holds the session.
    Login {
        /// The configured issuer URL.
        issuer: String,
        /// [`ChallengeResponse::state`].
        state: String,
        /// What the key signed.
        assertion: Box<PublicKeyCredential>,
    },
    /// Forget the session and the cache; with `everywhere`, end all sessions of this person at the issuer first.
    Logout {
        /// On every machine.
        everywhere: bool,
    },
    /// Trade an invite code for creation options.
    EnrollChallenge {
        /// The issuer URL being enrolled at.
        issuer: String,
        /// The invite code.
        code: String,
    },
    /// Register the first key.
    Enroll {
        /// The issuer URL being enrolled at.
        issuer: String,
        /// The new credential.
        registration: Box<RegisterKeyRequest>,
    },
    /// Trade an assertion for creation options of a further key (needs a session).
    AddKeyChallenge(Box<AddKeyChallengeRequest>),
    /// Register a further key (needs a session).
    AddKey(Box<RegisterKeyRequest>),
    /// Own keys (needs a session).
    Keys,
    /// Rename one (needs a session).
    RenameKey {
        /// [`KeyInfo::id`].
        id: String,
        /// 1 to 64 characters.
        name: String,
    },
    /// Trade an assertion for the removal of one (needs a session).
    RemoveKey {
        /// [`KeyInfo::id`].
        id: String,
        /// The assertion, and whether the last one may be removed.
        removal: Box<RemoveKeyRequest>,
    },
    /// The caller's role catalogue (needs a session).
    AwsRoles,
    /// The same, and whether a role of the caller's choice would be refused (needs a session).
    CheckAwsRole {
        /// The role.
        role: RoleArn,
        /// The hub to go through, as in [`AwsCredentialsRequest::via`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<RoleArn>,
    },
}

impl std::fmt::Debug for Request {
    /// The operation alone: invite codes and assertions are nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AwsCredentials(_) => "AwsCredentials",
            Self::Status => "Status",
            Self::Stop => "Stop",
            Self::CheckIssuer { .. } => "CheckIssuer",
            Self::LoginChallenge { .. } => "LoginChallenge",
            Self::Login { .. } => "Login",
            Self::Logout { .. } => "Logout",
            Self::EnrollChallenge { .. } => "EnrollChallenge",
            Self::Enroll { .. } => "Enroll",
            Self::AddKeyChallenge(_) => "AddKeyChallenge",
            Self::AddKey(_) => "AddKey",
            Self::Keys => "Keys",
            Self::RenameKey { .. } => "RenameKey",
            Self::RemoveKey { .. } => "RemoveKey",
            Self::AwsRoles => "AwsRoles",
            Self::CheckAwsRole { .. } => "CheckAwsRole",
        })
    }
}

/// One credential request. All members but the region are the cache key: credentials of any regional endpoint serve
/// in every region of the partition. The region decides whose endpoint is asked when the cache has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AwsCredentialsRequest {
    /// The role wanted in the end.
    pub role: RoleArn,
    /// The hub to go through, in an account no federation governs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<RoleArn>,
    /// Seconds, 900 to 43200; absent: 3600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
    /// Whose STS endpoint is used; absent: the partition's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// One line from the agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// It was done; what there is to say depends on the request.
    Ok(Reply),
    /// It was not done, and why.
    Err(Failure),
    /// The agent speaks another version and understands nothing but `stop`.
    Incompatible {
        /// [`VERSION`] of the agent.
        v: u32,
    },
}

/// How the line of a [`Reply::AwsCredentials`] begins. What follows, behind a brace and without the last one, is what
/// `credential_process` prints: the hot path copies it without parsing.
pub const CREDENTIALS_PREFIX: &str = r#"{"ok":{"kind":"aws_credentials","#;

/// The answer to a request that succeeded.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reply {
    /// To `AwsCredentials`.
    AwsCredentials(AwsCredentials),
    /// To `Status`.
    Status(Box<AgentStatus>),
    /// To `LoginChallenge`.
    LoginChallenge(Box<ChallengeResponse>),
    /// To `Login`.
    Session(SessionInfo),
    /// To `Login`, when the issuer does not know the key that signed: another one may do.
    UnknownKey(Failure),
    /// To `EnrollChallenge`, when there is no invite with that code: it may have been mistyped.
    UnknownInvite(Failure),
    /// To `EnrollChallenge` and `AddKeyChallenge`.
    Registration(Box<RegistrationChallenge>),
    /// To `Enroll` and `AddKey`.
    Key(KeyInfo),
    /// To `Keys`.
    Keys {
        /// In the order of enrollment.
        keys: Vec<KeyInfo>,
    },
    /// To `AwsRoles` and `CheckAwsRole`.
    AwsRoles {
        /// Sorted by account, then name.
        roles: Vec<AwsRole>,
        /// Why the issuer would refuse the role that was asked about, as a sentence without its full stop.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal: Option<String>,
    },
    /// To the rest.
    Done,
}

/// The `credential_process` answer (AWS CLI User Guide, "Sourcing credentials with an external process").
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AwsCredentials {
    /// Always 1.
    pub version: u32,
    /// `ASIA…`.
    pub access_key_id: String,
    /// Secret.
    pub secret_access_key: String,
    /// Secret.
    pub session_token: String,
    /// When SDKs must ask again.
    pub expiration: Timestamp,
}

impl std::fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

/// How the agent is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Of the running agent.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// The issuer of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The session it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionInfo>,
    /// When and why the last session ended, while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndedSession>,
    /// Credentials in the cache, by role.
    pub credentials: Vec<CachedCredential>,
    /// This machine's clock minus the issuer's, in milliseconds, when last compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
    /// What the agent's own environment changes, which is that of whichever command started it.
    #[serde(default)]
    pub overrides: Vec<Override>,
}

/// A session that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSession {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its time was over.
    Expired,
    /// `vouch logout`.
    SignedOut,
    /// `vouch login` began another.
    Replaced,
    /// The issuer ended it: logged out everywhere, disabled, the key removed.
    Issuer {
        /// In its words, without a full stop.
        words: String,
    },
}

/// One entry of the cache, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedCredential {
    /// What was asked.
    pub request: AwsCredentialsRequest,
    /// The roles assumed, in order.
    pub chain: Vec<RoleArn>,
    /// When AWS stops taking them.
    pub expires_at: Timestamp,
    /// When the agent renews them.
    pub refresh_at: Timestamp,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_hot_path_can_cut_the_answer_out_of_the_line() {
        let credentials = AwsCredentials {
            version: 1,
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: "token".to_owned(),
            expiration: "2026-11-21T17:42:11Z".parse().unwrap(),
        };
        let line = serde_json::to_string(&Response::Ok(Reply::AwsCredentials(credentials.clone()))).unwrap();
        let rest = line.strip_prefix(CREDENTIALS_PREFIX).unwrap().strip_suffix('}').unwrap();
        assert_eq!(serde_json::from_str::<AwsCredentials>(&format!("{{{rest}")).unwrap(), credentials);
        assert_eq!(format!("{{{rest}"), serde_json::to_string(&credentials).unwrap());
    }

    #[test]
    fn a_request_is_one_flat_object() {
        let request = AwsCredentialsRequest {
            role: "arn:aws:iam::111111111111:role/vouch/VouchAccess".parse().unwrap(),
            via: None,
            duration: None,
            region: None,
        };
        let line = serde_json::to_string(&Envelope { v: VERSION, request: Request::AwsCredentials(request) }).unwrap();
        assert_eq!(line, r#"{"v":1,"op":"aws_credentials","role":"arn:aws:iam::111111111111:role/vouch/VouchAccess"}"#);
    }
}
