//! Failures as people and scripts see them: a sentence, a hint, an exit code.

use serde::{Deserialize, Serialize};

use crate::console::plain;

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
    /// The person pressed Ctrl-C.
    Interrupted,
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
            // 128 + SIGINT, as shells count.
            Self::Interrupted => 130,
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
    /// A line that belongs to the hint and is copied as it is; only ever our own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<String>,
    /// For `-v`: request ids and the chain of causes, one a line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl Failure {
    /// A failure without a hint.
    #[must_use]
    pub fn new(category: Category, message: impl Into<String>) -> Self {
        Self { category, message: message.into(), hint: None, copy: None, details: Vec::new() }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a line to copy, shown alone on a line.
    #[must_use]
    pub fn copy(mut self, line: impl Into<String>) -> Self {
        self.copy = Some(line.into());
        self
    }

    /// Adds a line for `-v`.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// There is no session; `why` is in the words of a parenthesis, such as "your session ended 12 minutes ago".
    #[must_use]
    pub fn not_signed_in(why: Option<&str>) -> Self {
        let message =
            why.map_or_else(|| "you are not signed in".to_owned(), |why| format!("you are not signed in ({why})"));
        Self::new(Category::NotLoggedIn, message).hint("Run: vouch login")
    }

    /// What stdout holds under `--output json` instead of the answer: an object whose only member is `error`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut error = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = error.as_object_mut() {
            members.insert("exit_code".to_owned(), self.category.exit_code().into());
        }
        serde_json::json!({ "error": error })
    }

    /// The text for stderr: one line, because other tools pass it on as one, and the line to copy when there is one; details
    /// only when `verbose`. Parts of it may be words of a server.
    #[must_use]
    pub fn render(&self, verbose: bool) -> String {
        let mut text = format!("vouch: {}", plain(&self.message));
        if let Some(hint) = &self.hint {
            if !text.ends_with(['.', '!', '?']) {
                text.push('.');
            }
            text.push(' ');
            text.push_str(&plain(hint));
        }
        if let Some(line) = &self.copy {
            text.push_str("\n  ");
            text.push_str(&plain(line));
        }
        if verbose {
            for detail in &self.details {
                text.push_str("\n  ");
                text.push_str(&plain(detail));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_and_its_hint_are_one_line() {
        let failure = Failure::not_signed_in(Some("your session ended 12 minutes ago")).detail("request abc");
        let line = "vouch: you are not signed in (your session ended 12 minutes ago). Run: vouch login";
        assert_eq!(failure.render(false), line);
        assert_eq!(failure.render(true), format!("{line}\n  request abc"));
    }

    #[test]
    fn a_script_reads_the_category_the_exit_code_and_the_advice_apart_from_the_sentence() {
        let json = Failure::not_signed_in(None).to_json();
        let expected = serde_json::json!({"error": {
            "category": "not_logged_in",
            "exit_code": 2,
            "message": "you are not signed in",
            "hint": "Run: vouch login",
        }});
        assert_eq!(json, expected);
    }

    #[test]
    fn words_of_a_server_cannot_steer_the_terminal() {
        let failure =
            Failure::new(Category::Denied, "no\u{1b}[2J\r\nvouch: all is well").hint("run\u{7}").detail("\u{1b}c");
        let rendered = failure.render(true);
        assert_eq!(rendered, "vouch: no [2J  vouch: all is well. run \n   c");
    }

    #[test]
    fn a_full_stop_is_not_doubled() {
        let failure = Failure::new(Category::Denied, "Your record was changed.").hint("Try again.");
        assert_eq!(failure.render(false), "vouch: Your record was changed. Try again.");
    }

    #[test]
    fn every_category_has_an_exit_code_of_its_own() {
        use Category::{Configuration, Denied, General, Interrupted, Network, NoKey, NotLoggedIn, Usage};
        let all = [General, NotLoggedIn, NoKey, Network, Denied, Configuration, Usage, Interrupted];
        assert_eq!(all.map(Category::exit_code), [1, 2, 3, 4, 5, 6, 7, 130]);
    }
}
