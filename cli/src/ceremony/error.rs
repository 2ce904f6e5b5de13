//! Why a ceremony did not come to its end.

use crate::{
    error::{Category, Failure},
    prompt::{PromptError, WrongKey},
    security_key::KeyError,
};

/// A ceremony that failed.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// The key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The person could not be asked.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The issuer or the agent failed.
    #[error(transparent)]
    Agent(#[from] Failure),
    /// Ctrl-C; no key waits any more.
    #[error("interrupted")]
    Interrupted,
    /// Nobody inserted a key that will do.
    #[error("no security key was inserted within {0} s")]
    NoKey(u64),
    /// The key in hand will not do; another one may.
    #[error("that security key will not do")]
    WrongKey(WrongKey),
    /// The challenge is for another relying party than the configured issuer.
    #[error("the issuer {host} asked for a signature for another site, {rp_id}; nothing was signed")]
    ForeignRelyingParty {
        /// Host of the configured issuer URL.
        host: String,
        /// What the challenge says.
        rp_id: String,
    },
    /// The issuer wants something no key may or can do here.
    #[error("the issuer's request cannot be met: {0}")]
    Options(&'static str),
    /// The system has no thread left.
    #[error("cannot start a thread for the security key")]
    Thread(#[source] std::io::Error),
}

impl From<CeremonyError> for Failure {
    fn from(error: CeremonyError) -> Self {
        let message = error.to_string();
        match error {
            CeremonyError::Key(error) => error.into(),
            CeremonyError::Prompt(error) => error.into(),
            CeremonyError::Agent(failure) => failure,
            CeremonyError::Interrupted => Self::new(Category::Interrupted, message),
            CeremonyError::NoKey(_) => {
                Self::new(Category::NoKey, message).hint("Insert it and run the command again; to find out why a key is not seen: vouch doctor security")
            }
            CeremonyError::WrongKey(_) => Self::new(Category::NoKey, message).hint("Use another key."),
            CeremonyError::ForeignRelyingParty { .. } => Self::new(Category::Denied, message)
                .hint("Do not try again. Show this to your administrator: the issuer is set up wrongly, or somebody is in between."),
            CeremonyError::Options(_) => Self::new(Category::Denied, message)
                .hint("Show this to your administrator, or install the vouch version that fits the issuer."),
            CeremonyError::Thread(source) => {
                Self::new(Category::General, message).hint("Try again.").detail(source.to_string())
            }
        }
    }
}
