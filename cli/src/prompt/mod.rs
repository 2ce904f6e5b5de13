//! What a ceremony says to a person, and what it asks.
//!
//! Every state has a name, so that a ceremony can be tested without a terminal. Nothing here ever writes to standard
//! output, and a PIN comes from the terminal only: never from an argument, the environment or a pipe. While a terminal is
//! open here, it shows nothing that was not asked for.

use zeroize::Zeroizing;

use crate::{
    error::{Category, Failure},
    security_key::pin::PinLength,
};

mod line;
mod modes;
#[cfg(test)]
pub(crate) mod scripted;
mod terminal;
mod text;

pub use terminal::Terminal;

/// Talks to the person.
pub trait Prompter: Send + Sync {
    /// Says something. Never fails: who cannot be told cannot be told that either.
    fn tell(&self, notice: &Notice);

    /// Asks for a PIN, without showing it. It is not checked.
    ///
    /// # Errors
    /// [`PromptError`].
    fn ask_pin(&self, question: PinQuestion) -> Result<Zeroizing<String>, PromptError>;

    /// Asks for a text, which is shown as it is typed and is never empty.
    ///
    /// # Errors
    /// [`PromptError`].
    fn ask_text(&self, question: TextQuestion) -> Result<Zeroizing<String>, PromptError>;

    /// Asks a question that is answered by yes or no.
    ///
    /// # Errors
    /// [`PromptError`].
    fn confirm(&self, question: Confirmation) -> Result<bool, PromptError>;

    /// Asks for one of `options` and returns its index.
    ///
    /// # Errors
    /// [`PromptError`].
    fn choose(&self, question: Choice, options: &[String]) -> Result<usize, PromptError>;
}

/// A state the person should know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// No key that will do is plugged in.
    InsertKey(Wanted),
    /// This key is used.
    KeyFound {
        /// What it is called.
        name: String,
    },
    /// Which key to use is told by a touch.
    SeveralKeys {
        /// How many blink.
        count: usize,
    },
    /// The invite code is not one, or the issuer does not know it.
    WrongCode {
        /// Why, as a sentence or without its full stop.
        why: String,
    },
    /// Another program is using the key; it is tried again.
    Busy,
    /// The key blinks and waits.
    TouchKey,
    /// It was touched.
    Touched,
    /// What was typed cannot be a PIN; the key was not asked.
    PinLength(PinLength),
    /// The PIN was wrong.
    WrongPin {
        /// How often it may still be wrong.
        tries_left: u32,
    },
    /// Three wrong PINs in a row.
    Reinsert,
    /// The key does not work before its PIN is changed.
    PinChangeForced,
    /// What a new PIN must be like.
    PinRules {
        /// The shortest, in characters.
        min: u32,
    },
    /// The new PIN was not the same twice.
    PinsDiffer,
    /// The key does not take the new PIN.
    PinRefused,
    /// The key has its first PIN.
    PinSet,
    /// The key has a new PIN.
    PinChanged,
    /// The finger was not recognised.
    FingerprintNotRecognised,
    /// The key in hand will not do.
    WrongKey(WrongKey),
    /// The key signed, and the issuer does not know it.
    UnknownKey {
        /// What the key calls itself.
        name: String,
        /// Host of the issuer.
        issuer: String,
    },
    /// The credential that the issuer refused was deleted from the key.
    OrphanDeleted,
    /// The credential that the issuer refused is still on the key.
    OrphanLeft,
    /// First the key one has, then the new one.
    TwoKeysNeeded,
    /// A key will not be enrolled any more.
    RemovingKey {
        /// What its owner calls it.
        name: String,
        /// Whether it began the session of now.
        current: bool,
    },
    /// This machine is set up for another issuer.
    OtherIssuer {
        /// Its URL.
        issuer: String,
        /// Who is enrolled there, if that is known.
        email: Option<String>,
    },
}

/// Which key is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Any will do.
    Any,
    /// One that is enrolled.
    Enrolled,
    /// Another than the one that was just refused.
    Another,
    /// The new one that shall be enrolled beside the one in hand.
    New,
}

/// Why a key will not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongKey {
    /// It holds no credential for this person here.
    NotEnrolled,
    /// It is the one that is enrolled already.
    AlreadyEnrolled,
    /// The issuer does not accept its model.
    ModelNotAccepted,
    /// It does not hold the credential that shall be deleted.
    NotTheRemoved,
    /// It cannot do what is needed: store credentials, protect them, verify its user.
    NotCapable,
}

/// Which PIN is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinQuestion {
    /// The one the key has.
    Current {
        /// How often it may be wrong.
        tries_left: u32,
    },
    /// A new one.
    New,
    /// The new one a second time.
    Repeat,
}

/// Which text is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextQuestion {
    /// The invite code. It is shown, because it is copied by eye and spent a minute later.
    InviteCode,
}

/// A yes-or-no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// The key has no PIN: set one?
    SetPin,
    /// Another issuer is configured: switch?
    SwitchIssuer,
    /// The key is no longer enrolled: delete what is on it, too?
    DeleteCredential,
}

impl Confirmation {
    /// What Enter alone means.
    #[must_use]
    pub const fn is_yes_by_default(self) -> bool {
        match self {
            Self::SetPin => true,
            Self::SwitchIssuer | Self::DeleteCredential => false,
        }
    }
}

/// A question with several answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Which plugged-in key to use, where touching cannot tell.
    Key,
    /// Which account on the key to sign in to.
    Account,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// Nobody can be asked.
    #[error("there is no terminal to ask for the PIN of your security key on")]
    NoTerminal,
    /// The terminal belongs to another job of the shell.
    #[error("this command runs in the background, where nobody can be asked for the PIN of your security key")]
    Background,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The terminal was closed, or Ctrl-D.
    #[error("the terminal was closed before the question was answered")]
    Closed,
    /// Nobody answered.
    #[error("nobody answered the question in time")]
    TimedOut,
    /// The terminal failed.
    #[error("the terminal failed")]
    Terminal(#[source] std::io::Error),
}

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Self {
        let message = error.to_string();
        match error {
            PromptError::NoTerminal => Self::new(Category::Usage, message)
                .hint("Run this command in a terminal; an invite code may be given otherwise, a PIN may not."),
            PromptError::Background => Self::new(Category::Usage, message)
                .hint("Run it in the foreground (fg); with timeout, that is: timeout --foreground"),
            PromptError::Interrupted => Self::new(Category::Interrupted, message),
            PromptError::Closed | PromptError::TimedOut => {
                Self::new(Category::General, message).hint("Run the command again.")
            }
            PromptError::Terminal(source) => Self::new(Category::General, message)
                .hint("Run the command in another terminal.")
                .detail(source.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_the_hint_says_where_to_run_it() {
        let failure = Failure::from(PromptError::NoTerminal);
        assert_eq!(failure.category, Category::Usage);
        assert!(failure.render(false).contains("Run this command in a terminal"), "{}", failure.render(false));
    }

    #[test]
    fn ctrl_c_has_the_exit_code_shells_expect() {
        assert_eq!(Failure::from(PromptError::Interrupted).category.exit_code(), 130);
    }
}
