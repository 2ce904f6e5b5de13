//! The program through which an administrator speaks: how the command of a next step is written, so that it can be pasted.

use std::fmt::{self, Write as _};

use vouch_keyring::Kid;

/// The program, and the options that lead it to the same issuer again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontEnd {
    program: Program,
    /// Each with a space before it.
    options: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    VouchIssuer,
    KubectlVouch,
}

impl FrontEnd {
    /// `vouch-issuer`, on the database of an issuer that runs alone.
    #[must_use]
    pub const fn vouch_issuer() -> Self {
        Self { program: Program::VouchIssuer, options: String::new() }
    }

    /// `kubectl vouch`, in a cluster.
    #[must_use]
    pub const fn kubectl_vouch() -> Self {
        Self { program: Program::KubectlVouch, options: String::new() }
    }

    /// With an option that every further command needs, too.
    #[must_use]
    pub fn with(mut self, option: &str, value: &str) -> Self {
        let _infallible = write!(self.options, " {option} {}", word(value));
        self
    }

    /// The command line of a verb with its arguments.
    #[must_use]
    pub fn command(&self, verb: impl fmt::Display) -> String {
        let program = match self.program {
            Program::VouchIssuer => "vouch-issuer",
            Program::KubectlVouch => "kubectl vouch",
        };
        format!("{program} {verb}{}", self.options)
    }

    /// The command that lets the next key sign at once, when `revoked` did before.
    #[must_use]
    pub fn let_next_key_sign(&self, revoked: &Kid) -> String {
        let verb = match self.program {
            Program::VouchIssuer => "keys revoke",
            Program::KubectlVouch => "revoke-key",
        };
        self.command(format_args!("{verb} {revoked} --now"))
    }

    /// Where a declaration is changed, and what makes the change take effect; in a cluster nothing else is needed.
    pub(super) const fn then_reload(&self) -> &'static str {
        match self.program {
            Program::VouchIssuer => " in the manifest and reload the issuer (SIGHUP)",
            Program::KubectlVouch => " in the VouchIssuer",
        }
    }
}

/// A word that a shell reads back as it is.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@,+%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_leads_to_the_same_issuer_again_and_can_be_pasted() {
        assert_eq!(FrontEnd::kubectl_vouch().command("users list"), "kubectl vouch users list");
        let front_end = FrontEnd::vouch_issuer().with("-f", "issuer.yaml").with("--data-dir", "/srv/alice's data");
        assert_eq!(
            front_end.command("enable alice@example.com"),
            r"vouch-issuer enable alice@example.com -f issuer.yaml --data-dir '/srv/alice'\''s data'"
        );
    }
}
