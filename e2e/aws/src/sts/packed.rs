//! `PackedPolicySize`: how much of a session's budget its policies, tags and identity use up.
//!
//! AWS publishes no formula. The constants reproduce the recorded percentages; a knob sets how fast texts use the
//! budget up, and another where it ends.

use crate::knobs::PackedKnobs;
use crate::wire::Fault;
use crate::world::Tags;

/// Hundredths of a percent that a web-identity session starts with; a subject of three characters makes it 25 %.
const WEB_IDENTITY: usize = 2493;
/// Hundredths of a percent that any other session starts with.
const PLAIN: usize = 900;
/// Hundredths of a percent that a source identity costs beside its text when nothing else names the person.
const SOURCE_IDENTITY: usize = 920;

/// What a session carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load<'a> {
    /// `sub` of a web identity.
    pub(super) subject: Option<&'a str>,
    /// Source identity.
    pub(super) source_identity: Option<&'a str>,
    /// Session tags.
    pub(super) tags: &'a Tags,
    /// Characters of session policies.
    pub(super) policy_chars: usize,
}

impl Load<'_> {
    /// The size in percent, within the limit.
    ///
    /// # Errors
    /// `PackedPolicyTooLarge`.
    pub(super) fn percent(&self, knobs: &PackedKnobs) -> Result<usize, Fault> {
        let percent = self.size(knobs);
        if percent <= usize::try_from(knobs.limit_percent).unwrap_or(usize::MAX) {
            return Ok(percent);
        }
        let text = if self.policy_chars > 0 {
            format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.")
        } else {
            format!("Packed size of session tags consumes {percent}% of allotted space.")
        };
        Err(Fault::new("PackedPolicyTooLarge", 400, text))
    }

    fn size(&self, knobs: &PackedKnobs) -> usize {
        let per_char = 100 / usize::try_from(knobs.chars_per_percent.max(1)).unwrap_or(1).min(100);
        let identity = match (self.subject, self.source_identity) {
            (Some(subject), source) => {
                WEB_IDENTITY + hundredths(subject) + source.map_or(0, |source| 50 + hundredths(source))
            }
            (None, Some(source)) => PLAIN + SOURCE_IDENTITY + hundredths(source),
            (None, None) => PLAIN,
        };
        let tag_chars: usize = self.tags.iter().map(|(key, value)| key.chars().count() + value.chars().count()).sum();
        (identity + (tag_chars + self.policy_chars) * per_char) / 100
    }
}

/// Thirty characters of identity make a percent (recorded).
fn hundredths(text: &str) -> usize {
    text.chars().count() * 100 / 30
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Load;
    use crate::knobs::PackedKnobs;
    use crate::world::{KeyCase, Tags};

    fn percent(subject: Option<&str>, source: Option<&str>, tags: &[(&str, &str)]) -> usize {
        let tags =
            Tags::from_pairs(KeyCase::Folded, tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        Load { subject, source_identity: source, tags: &tags, policy_chars: 0 }
            .percent(&PackedKnobs::default())
            .unwrap()
    }

    #[test]
    fn reproduces_the_recorded_percentages() {
        assert_eq!(percent(Some(""), None, &[]), 24);
        assert_eq!(percent(Some("a"), None, &[]), 24);
        assert_eq!(percent(Some("123"), None, &[]), 25);
        assert_eq!(percent(Some("subject-0123"), None, &[]), 25);
        assert_eq!(percent(Some(&"a".repeat(300)), None, &[]), 34);
        assert_eq!(percent(Some("subject-0123"), Some("alice-source"), &[]), 26);
        assert_eq!(percent(Some("subject-0123"), None, &[("Team", "red")]), 25);
        assert_eq!(percent(None, None, &[]), 9);
        assert_eq!(percent(None, Some(&"s".repeat(25)), &[]), 19);
    }

    #[test]
    fn refuses_more_than_the_budget() {
        let tags = Tags::from_pairs(KeyCase::Folded, (0..50).map(|number| (format!("k{number}"), "v".repeat(256))));
        let load = Load { subject: None, source_identity: None, tags: &tags, policy_chars: 0 };
        let fault = load.percent(&PackedKnobs::default()).unwrap_err();
        assert_eq!(fault.code, "PackedPolicyTooLarge");
        assert!(fault.message.starts_with("Packed size of session tags consumes "), "{}", fault.message);
    }
}
