//! What a row expects, and what came.

use std::fmt;

use super::scene::Scene;
use crate::support::texts;

/// What a row expects. `{provider}` and `{role}` stand for ARNs, `{sent+N}` for the time at which the token was made,
/// `{now+N}` for the program's own at the answer.
pub(super) enum Expected {
    /// 200, with these elements; an empty list of texts means that there is no such element.
    Ok(&'static [(&'static str, &'static [&'static str])]),
    /// HTTP status, code and exact text.
    Refused(u16, &'static str, &'static str),
}

/// Success, with these elements.
pub(super) const fn ok(elements: &'static [(&'static str, &'static [&'static str])]) -> Expected {
    Expected::Ok(elements)
}

/// The refusal of a token.
pub(super) const fn iit(text: &'static str) -> Expected {
    Expected::Refused(400, "InvalidIdentityToken", text)
}

/// The refusal of a policy.
pub(super) const fn denied(text: &'static str) -> Expected {
    Expected::Refused(403, "AccessDenied", text)
}

/// Any other refusal.
pub(super) const fn refused(status: u16, code: &'static str, text: &'static str) -> Expected {
    Expected::Refused(status, code, text)
}

/// The four texts behind most failures.
pub(super) mod text {
    /// Bad signature and wrong audience alike.
    pub(crate) const G: &str = "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.";
    /// No key: two spaces after the comma, no full stop.
    pub(crate) const K: &str = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements";
    /// The trust policy, and a role that is not there.
    pub(crate) const D: &str = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    /// No JWT.
    pub(crate) const J: &str =
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";
}

/// What came back.
pub(super) struct Outcome {
    pub(super) status: u16,
    pub(super) xml: String,
    /// When the token was made, in seconds by the program's clock.
    pub(super) sent_at: i64,
}

impl Outcome {
    fn first(&self, tag: &str) -> String {
        texts(&self.xml, tag).first().cloned().unwrap_or_default()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.status == 200 {
            return write!(f, "200, PackedPolicySize {}", self.first("PackedPolicySize"));
        }
        write!(f, "{} {}: {}", self.status, self.first("Code"), self.first("Message"))
    }
}

/// Seconds that may pass between the making of a token and its verdict on a busy machine.
const PATIENCE: i64 = 20;

impl Scene {
    /// Compares an answer with what its row expects; the difference in words.
    pub(super) fn compare(&self, outcome: &Outcome, expected: &Expected) -> Result<(), String> {
        match expected {
            Expected::Ok(_) if outcome.status != 200 => Err(format!("refused: {outcome}")),
            Expected::Ok(elements) => elements.iter().try_for_each(|(tag, values)| {
                let (found, wanted) = (texts(&outcome.xml, tag), values.len());
                let fits = found.len() == wanted
                    && found.iter().zip(*values).all(|(found, value)| self.is_text(found, value, outcome.sent_at));
                if fits { Ok(()) } else { Err(format!("{tag} is {found:?}, not {values:?}")) }
            }),
            Expected::Refused(status, code, message) => {
                let fits = outcome.status == *status
                    && outcome.first("Code") == *code
                    && self.is_text(&outcome.first("Message"), message, outcome.sent_at);
                if fits { Ok(()) } else { Err(format!("expected {status} {code}: {message}\n  but got {outcome}")) }
            }
        }
    }

    fn is_text(&self, found: &str, template: &str, sent_at: i64) -> bool {
        let template = self.fill(template);
        (0..=PATIENCE).any(|late| found == times(&times(&template, "sent", sent_at), "now", sent_at + late))
    }
}

/// Replaces every `{name+N}` and `{name-N}` by a number of seconds.
fn times(template: &str, name: &str, base: i64) -> String {
    let open = format!("{{{name}");
    let mut parts = template.split(open.as_str());
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (offset, rest) = part.split_once('}').expect("a placeholder ends");
        let offset: i64 = offset.parse().expect("a placeholder has an offset");
        text.push_str(&(base + offset).to_string());
        text.push_str(rest);
    }
    text
}
