//! Durations as people write them in a manifest: `90s`, `15m`, `8h`, `30d`.
//!
//! A whole number and one unit. CEL's own `duration()` knows no days and Go's formatting turns `30d` into `720h0m0s`, so
//! the schema keeps the text, checks its form, and rules compute with [`seconds`].

use std::{fmt, str::FromStr, time};

use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator, transform::Transform};
use serde::{Deserialize, Serialize, de};
use serde_json::{Value, json};

use crate::schema;

/// At most 99 999 of a unit: five digits and the unit's letter, so that no sum of durations overflows.
const FORM: &str = "^[1-9][0-9]{0,4}[smhd]$";
/// How every sentence about the form begins.
const FORM_STEM: &str = "must be a whole number and one unit";
const FORM_SENTENCE: &str = "must be a whole number and one unit, such as 90s, 15m, 8h or 30d";
/// An API server looks at the length before any rule, and says of a longer text only that it is too long: so long is nothing
/// that somebody takes for a duration.
const LONGEST: u32 = 1024;

/// A length of time, kept as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Duration {
    count: u32,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    Seconds,
    Minutes,
    Hours,
    Days,
}

impl Unit {
    const fn letter(self) -> char {
        match self {
            Self::Seconds => 's',
            Self::Minutes => 'm',
            Self::Hours => 'h',
            Self::Days => 'd',
        }
    }

    const fn seconds(self) -> u32 {
        match self {
            Self::Seconds => 1,
            Self::Minutes => 60,
            Self::Hours => 3_600,
            Self::Days => 86_400,
        }
    }
}

/// The text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` {FORM_SENTENCE}")]
pub struct DurationError(String);

impl Duration {
    /// So many seconds, of which at most 99 999 are kept.
    #[must_use]
    pub const fn seconds(count: u32) -> Self {
        Self::of(count, Unit::Seconds)
    }

    /// So many minutes, of which at most 99 999 are kept.
    #[must_use]
    pub const fn minutes(count: u32) -> Self {
        Self::of(count, Unit::Minutes)
    }

    /// So many hours, of which at most 99 999 are kept.
    #[must_use]
    pub const fn hours(count: u32) -> Self {
        Self::of(count, Unit::Hours)
    }

    /// So many days, of which at most 99 999 are kept.
    #[must_use]
    pub const fn days(count: u32) -> Self {
        Self::of(count, Unit::Days)
    }

    const fn of(count: u32, unit: Unit) -> Self {
        let count = if count > 99_999 { 99_999 } else { count };
        Self { count, unit }
    }

    /// The length in seconds; below 2^34.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.count as u64 * self.unit.seconds() as u64
    }
}

impl From<Duration> for time::Duration {
    fn from(duration: Duration) -> Self {
        Self::from_secs(duration.as_secs())
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit.letter())
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let error = || DurationError(text.to_owned());
        let mut characters = text.chars();
        let unit = match characters.next_back().ok_or_else(error)? {
            's' => Unit::Seconds,
            'm' => Unit::Minutes,
            'h' => Unit::Hours,
            'd' => Unit::Days,
            _ => return Err(error()),
        };
        let digits = characters.as_str();
        let canonical =
            (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        if !canonical {
            return Err(error());
        }
        Ok(Self { count: digits.parse().map_err(|_| error())?, unit })
    }
}

impl Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::text(LONGEST, &[(&is_well_formed("self"), FORM_SENTENCE)])
    }
}

/// What is said of a value that is no duration, where the schema is that of one.
#[must_use]
pub fn form_sentence(schema: &Value) -> Option<&str> {
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
    let mut messages = rules.filter_map(|rule| rule.get("message")?.as_str());
    messages.find(|message| is_form_sentence(message))
}

pub(crate) fn is_form_sentence(message: &str) -> bool {
    message.starts_with(FORM_STEM)
}

/// CEL: whether `field` is a duration.
fn is_well_formed(field: &str) -> String {
    format!("{field}.matches('{FORM}')")
}

/// CEL: the length in seconds of the duration that `field` names.
fn seconds(field: &str) -> String {
    format!(
        "int({field}.substring(0, size({field}) - 1)) * \
         {{'s': 1, 'm': 60, 'h': 3600, 'd': 86400}}[{field}.substring(size({field}) - 1)]"
    )
}

/// CEL: `condition`, which may write `{field}` in the place of each field's seconds. An ill-formed duration satisfies it,
/// because the rule of the field itself has refused it with a better sentence.
fn unless_malformed(fields: &[&str], condition: &str) -> String {
    let mut condition = condition.to_owned();
    let mut malformed = String::new();
    for field in fields {
        condition = condition.replace(&format!("{{{field}}}"), &format!("({})", seconds(field)));
        malformed.push_str(&format!("!{} || ", is_well_formed(field)));
    }
    format!("{malformed}({condition})")
}

/// A rule about several durations: see [`unless_malformed`].
pub(crate) fn rule(fields: &[&str], condition: &str, message: &str) -> Rule {
    Rule::new(unless_malformed(fields, condition)).message(message)
}

/// A field that is a duration from `min` to `max`, both included.
pub(crate) fn between(min: Duration, max: Duration) -> impl Transform {
    let condition = format!("{{self}} >= {} && {{self}} <= {}", min.as_secs(), max.as_secs());
    bounded(&condition, &format!("from {min} to {max}"), "")
}

/// A field that is a duration of `min` or more. The sentence about a shorter one goes on with `why`.
pub(crate) fn at_least(min: Duration, why: &str) -> impl Transform {
    bounded(&format!("{{self}} >= {}", min.as_secs()), &format!("at least {min}"), why)
}

/// Whoever writes no duration reads the bounds at once, in one sentence with the form.
fn bounded(condition: &str, bounds: &str, why: &str) -> impl Transform + use<> {
    let rules = json!([
        {"rule": is_well_formed("self"), "message": format!("{FORM_STEM} (s, m, h or d), {bounds}")},
        {"rule": unless_malformed(&["self"], condition), "message": format!("must be {bounds}{why}")},
    ]);
    move |schema: &mut Schema| {
        schema.insert("x-kubernetes-validations".to_owned(), rules.clone());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_is_written_back_as_it_was_read() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("8h", 28_800), ("30d", 2_592_000), ("99999d", 8_639_913_600)]
        {
            let duration: Duration = text.parse().unwrap();
            assert_eq!((duration.to_string().as_str(), duration.as_secs()), (text, seconds));
        }
    }

    #[test]
    fn refuses_what_is_not_one_number_and_one_unit() {
        for text in ["", "h", "8", "0h", "08h", "-8h", "1.5h", "1h30m", "8 h", "8H", "100000s", "8w", "٣h"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    #[test]
    fn constructors_stay_within_what_can_be_written() {
        assert_eq!(Duration::seconds(u32::MAX).to_string(), "99999s");
    }

    proptest! {
        #[test]
        fn every_duration_survives_a_round_trip(count in 1_u32..=99_999, unit in "[smhd]") {
            let text = format!("{count}{unit}");
            prop_assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = text.parse::<Duration>();
        }
    }
}
