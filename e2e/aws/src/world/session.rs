//! Access keys and the role sessions behind temporary ones.

use std::sync::Arc;

use jiff::Timestamp;

use super::ids::Secret;
use super::tags::Tags;
use crate::endpoint::Partition;
use crate::policy::Document;

/// An access key and what it stands for.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// `AKIA…` of a user, `ASIA…` of a session.
    pub id: String,
    /// The secret half.
    pub secret: Secret,
    /// Who owns it.
    pub owner: KeyOwner,
}

/// Whose key it is.
#[derive(Debug, Clone)]
pub enum KeyOwner {
    /// An IAM user's, for good.
    User {
        /// The account.
        account: String,
        /// The user.
        user: String,
    },
    /// A role session's, until it expires.
    Session {
        /// The session.
        session: Arc<Session>,
        /// The token that must come with every request.
        token: Secret,
    },
}

/// A role session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Account of the role.
    pub account: String,
    /// Partition of that account.
    pub partition: Partition,
    /// Name of the role, without its path.
    pub role_name: String,
    /// ARN of the role, with its path.
    pub role_arn: String,
    /// Unique id of the role; a role created anew under the same name has another.
    pub role_id: String,
    /// `RoleSessionName`.
    pub session_name: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Source identity, which a chain keeps.
    pub source_identity: Option<String>,
    /// Session tags, keys without regard to case.
    pub tags: Tags,
    /// Keys of the tags that a chain keeps.
    pub transitive_keys: Vec<String>,
    /// Policies that bound the session.
    pub policies: Vec<SessionPolicy>,
    /// Present when a web-identity token began it.
    pub web_identity: Option<WebIdentity>,
}

/// A policy given when a session was requested.
#[derive(Debug, Clone)]
pub enum SessionPolicy {
    /// A document, fixed for the session.
    Inline(Document),
    /// A managed policy, resolved anew at every call.
    Managed(String),
}

/// What a session keeps of the token that began it.
#[derive(Debug, Clone)]
pub struct WebIdentity {
    /// ARN of the OIDC provider.
    pub provider_arn: String,
    /// The issuer without `https://`: the prefix of its condition keys.
    pub issuer: String,
    /// `ISSUER:aud`.
    pub audience: String,
    /// `ISSUER:sub`.
    pub subject: String,
    /// `ISSUER:amr`.
    pub methods: Vec<String>,
}

impl Session {
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`; the role's path is dropped.
    #[must_use]
    pub fn arn(&self) -> String {
        format!(
            "arn:{}:sts::{}:assumed-role/{}/{}",
            self.partition.id(),
            self.account,
            self.role_name,
            self.session_name
        )
    }

    /// `AROA…:SESSION`.
    #[must_use]
    pub fn user_id(&self) -> String {
        format!("{}:{}", self.role_id, self.session_name)
    }
}

/// Who makes a call.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Nobody: the call is not signed.
    Anonymous,
    /// An IAM user.
    User(UserCaller),
    /// A role session.
    Session {
        /// The session.
        session: Arc<Session>,
        /// The key that signed.
        access_key_id: String,
    },
}

/// An IAM user that makes a call.
#[derive(Debug, Clone)]
pub struct UserCaller {
    /// The account.
    pub account: String,
    /// The user's name.
    pub name: String,
    /// The user's ARN.
    pub arn: String,
    /// `AIDA…`.
    pub id: String,
    /// The key that signed.
    pub access_key_id: String,
}

impl Caller {
    /// The caller's account.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::User(user) => Some(&user.account),
            Self::Session { session, .. } => Some(&session.account),
        }
    }

    /// The caller's ARN, as `GetCallerIdentity` and denials name it.
    #[must_use]
    pub fn arn(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::User(user) => user.arn.clone(),
            Self::Session { session, .. } => session.arn(),
        }
    }

    /// `aws:userid`.
    #[must_use]
    pub fn user_id(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::User(user) => user.id.clone(),
            Self::Session { session, .. } => session.user_id(),
        }
    }
}
