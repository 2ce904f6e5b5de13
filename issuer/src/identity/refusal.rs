//! Why a ceremony ended without doing anything: one sentence, one code, one hint each.

use vouch_issuer_api::{error::ErrorCode, invite::InviteCodeError};

use super::{
    seal::{OpenError, SealError},
    webauthn::{KeyFault, RegistrationFault, UnreadableAnchor},
};
use crate::{http::error::ApiError, store::StoreError};

/// Why a ceremony was refused. Nothing has been written then.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The sealed state of the request.
    #[error(transparent)]
    State(#[from] OpenError),
    /// What the security key answered.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// A new credential that is not accepted, and what it has shown of its maker.
    #[error(transparent)]
    Unaccepted(#[from] RegistrationFault),
    /// The challenge has done its work.
    #[error("the challenge has been answered before")]
    Replayed,
    /// More assertions within a challenge's lifetime than a person makes.
    #[error("this account has signed in too often within a few minutes")]
    TooManyAssertions,
    /// Nobody has this credential.
    #[error("this security key is not enrolled here")]
    KeyUnknown,
    /// The key names another person than the record that holds its credential, or nobody.
    #[error("the security key names another person than the one it is enrolled for")]
    UserHandle,
    /// An assertion by a key of somebody else than the session's person.
    #[error("the assertion was made by a key of another person")]
    ForeignKey,
    /// The person may not sign in.
    #[error("this account is disabled")]
    Disabled,
    /// The organisation does not own the person's domain any more.
    #[error("the e-mail address of this account is in no domain of the organization any more")]
    ForeignDomain,
    /// Every session was ended between the assertion that pays for a registration and the registration.
    #[error("every session of this account was ended after this registration was begun")]
    LoggedOut,
    /// The key whose assertion pays for a registration was removed before the registration.
    #[error("the security key that this registration was begun with has been removed")]
    PayingKeyRemoved,
    /// What was typed cannot be a code.
    #[error(transparent)]
    InviteCode(#[from] InviteCodeError),
    /// Nobody was given this code, or a later one has replaced it.
    #[error("there is no such invite")]
    InviteUnknown,
    /// It has been redeemed.
    #[error("this invite has been used")]
    InviteUsed,
    /// Its time is over.
    #[error("this invite has expired")]
    InviteExpired,
    /// Invites were handed out before they were switched off.
    #[error("this issuer takes no invites any more, this one included")]
    InvitesOff,
    /// The credential is enrolled, here or with another person.
    #[error("this security key is enrolled already")]
    KeyAlreadyEnrolled,
    /// A record and the states made from it have a bounded size.
    #[error("the id of the new credential has {0} bytes, which is more than this issuer keeps")]
    CredentialIdTooLong(usize),
    /// A record has a bounded size.
    #[error("this account has {0} security keys, and it cannot have more")]
    TooManyKeys(usize),
    /// No key of this person has this id.
    #[error("there is no key {0}")]
    NoSuchKey(String),
    /// Removing it would lock the person out.
    #[error("this is the last security key of the account")]
    LastKey,
    /// Not 1 to 64 printable characters.
    #[error("a key's name has 1 to 64 characters, and none of them is a control character")]
    Name,
    /// Names tell keys apart.
    #[error("another key of this account is called {0} already")]
    NameTaken(String),
    /// The store refuses or fails.
    #[error(transparent)]
    Store(StoreError),
    /// The configured attestation roots cannot be used.
    #[error(transparent)]
    Anchors(#[from] UnreadableAnchor),
    /// The issuer could not seal a state.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            // Nobody enrolls with an e-mail or an id of their own, so it is the credential.
            StoreError::Taken(_) => Self::KeyAlreadyEnrolled,
            other => Self::Store(other),
        }
    }
}

impl Refusal {
    /// What kind of refusal it is.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Key(fault) => fault.code(),
            Self::Unaccepted(refused) => refused.fault.code(),
            Self::State(_)
            | Self::Replayed
            | Self::UserHandle
            | Self::ForeignKey
            | Self::LoggedOut
            | Self::PayingKeyRemoved => ErrorCode::InvalidGrant,
            Self::TooManyAssertions => ErrorCode::RateLimited,
            Self::KeyUnknown => ErrorCode::KeyUnknown,
            Self::Disabled | Self::ForeignDomain => ErrorCode::UserDisabled,
            Self::InviteCode(_) | Self::InviteUnknown => ErrorCode::InviteUnknown,
            Self::InviteUsed => ErrorCode::InviteUsed,
            Self::InviteExpired => ErrorCode::InviteExpired,
            Self::InvitesOff => ErrorCode::InvitesOff,
            Self::KeyAlreadyEnrolled => ErrorCode::KeyAlreadyEnrolled,
            Self::TooManyKeys(_) | Self::Name | Self::NameTaken(_) => ErrorCode::InvalidRequest,
            Self::CredentialIdTooLong(_) => ErrorCode::KeyNotAccepted,
            Self::NoSuchKey(_) => ErrorCode::NotFound,
            Self::LastKey => ErrorCode::LastKey,
            Self::Store(StoreError::Conflict) => ErrorCode::Conflict,
            Self::Store(StoreError::Missing) => ErrorCode::NotFound,
            Self::Store(_) => ErrorCode::Unavailable,
            Self::Anchors(_) | Self::Seal(_) => ErrorCode::ServerError,
        }
    }

    /// What the person can do.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Key(fault) => fault.hint(),
            Self::Unaccepted(refused) => refused.fault.hint(),
            Self::State(_) => "Run the command again, and answer within five minutes.",
            Self::Replayed => {
                "Run the command again; if it happens again, tell your administrator: somebody may be repeating what this \
                 machine sent."
            }
            Self::LoggedOut | Self::PayingKeyRemoved => "Sign in with `vouch login`, then run the command again.",
            Self::TooManyAssertions => "Wait five minutes.",
            Self::KeyUnknown => "Use an enrolled key, or ask an administrator for an invite and run `vouch enroll`.",
            Self::UserHandle | Self::ForeignKey => "Use the key that is enrolled for this account.",
            Self::Disabled | Self::ForeignDomain => "Ask an administrator.",
            Self::InvitesOff => "Ask an administrator how people get their first key accepted.",
            Self::InviteCode(_) | Self::InviteUnknown => "Check the code, or ask an administrator for a new invite.",
            Self::InviteUsed => "If you have just enrolled with it, run `vouch login`; else ask for a new invite.",
            Self::InviteExpired => "Ask an administrator for a new invite.",
            Self::KeyAlreadyEnrolled => "Run `vouch login` with this key, or enroll another one.",
            Self::TooManyKeys(_) => "Remove a key with `vouch keys remove` first.",
            Self::NoSuchKey(_) => "List your keys with `vouch keys list`.",
            Self::LastKey => "Enroll another key first, or remove it with `--allow-last`.",
            Self::CredentialIdTooLong(_) => "Use another security key.",
            Self::NameTaken(_) => "Choose another name.",
            Self::Store(_) => "Try again.",
            Self::Name | Self::Anchors(_) | Self::Seal(_) => return None,
        })
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        if let Refusal::Store(error) = refusal {
            return error.into();
        }
        if matches!(refusal.code(), ErrorCode::ServerError) {
            tracing::error!(error = &refusal as &dyn std::error::Error, "ceremony");
        }
        let mut error = Self::new(refusal.code(), sentence(&refusal.to_string()));
        error.hint = refusal.hint().map(str::to_owned);
        error
    }
}

/// An error's text as a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_uppercase());
    first.into_iter().flatten().chain(rest).chain(['.']).collect()
}
