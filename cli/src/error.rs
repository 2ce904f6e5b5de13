//! Failures as people and scripts see them: a sentence, a hint, an exit code.

use serde::{Deserialize, Serialize};

/// What kind of failure; decides the exit code. A closed set, never inferred from text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Anything without a kind of its own.
    General,
    /// There is no session, or it has ended.
    NotLoggedIn,
    /// No usable security key, or the person did not touch it.
    NoKey,
    /// The issuer or AWS cannot be reached.
    Network,
    /// The issuer or AWS said no.
    Denied,
    /// A configuration file is missing or wrong.
    Configuration,
    /// The command line is wrong.
    Usage,
}

impl Category {
    /// The exit code of the process.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::General => 1,
            Self::NotLoggedIn => 2,
            Self::NoKey => 3,
            Self::Network => 4,
            Self::Denied => 5,
            Self::Configuration => 6,
            Self::Usage => 7,
        }
    }
}

/// A failure, ready to be shown or to cross the agent's socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind.
    pub category: Category,
    /// One sentence: what, and why when it is known. Never a Rust value, never a bare status code.
    pub message: String,
    /// What to do next, as an imperative sentence, often a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// For `-v`: request ids and the chain of causes, one a line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl Failure {
    /// A failure without a hint.
    #[must_use]
    pub fn new(category: Category, message: impl Into<String>) -> Self {
        Self { category, message: message.into(), hint: None, details: Vec::new() }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a line for `-v`.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }
}
