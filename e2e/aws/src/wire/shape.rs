//! Shape checks of the service model: length, pattern and range, in AWS's wording.
//!
//! All violations of a request are reported at once, before anything else is looked at.

use super::fault::Fault;

/// Collects the violations of one request.
#[derive(Debug, Default)]
pub struct Shape {
    /// IAM does not repeat the value in the text; STS does.
    hide_values: bool,
    violations: Vec<String>,
}

/// A pattern of the service model: its text, and the characters it allows.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    text: &'static str,
    allows: fn(char) -> bool,
}

/// `[\w+=,.@-]*`: names of sessions, roles, users, and source identities.
pub const NAME: Pattern = Pattern { text: r"[\w+=,.@-]*", allows: is_name_char };

/// Whether `[\w+=,.@-]` matches a character.
#[must_use]
pub fn is_name_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '+' | '=' | ',' | '.' | '@' | '-')
}

impl Shape {
    /// Checks in the wording of STS.
    #[must_use]
    pub fn sts() -> Self {
        Self::default()
    }

    /// Checks in the wording of IAM.
    #[must_use]
    pub fn iam() -> Self {
        Self { hide_values: true, violations: Vec::new() }
    }

    /// A string that must be there, `min..=max` characters long and made of a pattern.
    pub fn required<'a>(
        &mut self,
        name: &str,
        value: Option<&'a str>,
        length: (usize, usize),
        pattern: Option<Pattern>,
    ) -> &'a str {
        let Some(value) = value else {
            self.add(name, None, "Member must not be null");
            return "";
        };
        self.optional(name, Some(value), length, pattern);
        value
    }

    /// A string that may be absent.
    pub fn optional(&mut self, name: &str, value: Option<&str>, (min, max): (usize, usize), pattern: Option<Pattern>) {
        let Some(value) = value else { return };
        let length = value.chars().count();
        if length < min {
            self.add(name, Some(value), &format!("Member must have length greater than or equal to {min}"));
        }
        if length > max {
            self.add(name, Some(value), &format!("Member must have length less than or equal to {max}"));
        }
        if let Some(pattern) = pattern
            && !value.chars().all(pattern.allows)
        {
            self.add(name, Some(value), &format!("Member must satisfy regular expression pattern: {}", pattern.text));
        }
    }

    /// An integer that may be absent, within a range. A text that is not an integer is a malformed request.
    ///
    /// # Errors
    /// `MalformedInput` for anything but digits, with an optional sign, in 32 bits.
    pub fn integer(&mut self, name: &str, value: Option<&str>, (min, max): (i32, i32)) -> Result<Option<i32>, Fault> {
        let Some(text) = value else { return Ok(None) };
        let number: i32 = text
            .parse()
            .map_err(|_| Fault::new("MalformedInput", 400, "Unexpected error: the request has a malformed number"))?;
        if number < min {
            self.add(name, Some(text), &format!("Member must have value greater than or equal to {min}"));
        }
        if number > max {
            self.add(name, Some(text), &format!("Member must have value less than or equal to {max}"));
        }
        Ok(Some(number))
    }

    /// A list that may be absent, of at most `max` members.
    pub fn list<T>(&mut self, name: &str, value: Option<&[T]>, max: usize) {
        if value.is_some_and(|items| items.len() > max) {
            self.violations.push(format!(
                "Value at '{name}' failed to satisfy constraint: Member must have length less than or equal to {max}"
            ));
        }
    }

    /// A pattern that a caller checked itself.
    pub fn require(&mut self, holds: bool, name: &str, pattern: &str) {
        if !holds {
            let text = format!(
                "Value at '{name}' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}"
            );
            self.violations.push(text);
        }
    }

    fn add(&mut self, name: &str, value: Option<&str>, constraint: &str) {
        let value = match value {
            _ if self.hide_values => String::new(),
            Some(value) => format!(" '{value}'"),
            None => " null".to_owned(),
        };
        self.violations.push(format!("Value{value} at '{name}' failed to satisfy constraint: {constraint}"));
    }

    /// The verdict.
    ///
    /// # Errors
    /// `ValidationError` naming every violation.
    pub fn finish(self) -> Result<(), Fault> {
        if self.violations.is_empty() {
            return Ok(());
        }
        let count = self.violations.len();
        let noun = if count == 1 { "error" } else { "errors" };
        Err(Fault::validation(format!("{count} validation {noun} detected: {}", self.violations.join("; "))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{NAME, Shape};

    #[test]
    fn words_one_violation_as_sts_does() {
        let mut shape = Shape::sts();
        shape.required("roleSessionName", Some("a"), (2, 64), Some(NAME));
        assert_eq!(
            shape.finish().unwrap_err().message,
            "1 validation error detected: Value 'a' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2"
        );
    }

    #[test]
    fn reports_all_violations_together() {
        let mut shape = Shape::sts();
        shape.required("roleArn", None, (20, 2048), None);
        shape.required("roleSessionName", Some("alice bob"), (2, 64), Some(NAME));
        let message = shape.finish().unwrap_err().message;
        assert!(message.starts_with("2 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null; "), "{message}");
        assert!(message.ends_with(r"Value 'alice bob' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*"));
    }

    #[test]
    fn does_not_repeat_values_for_iam() {
        let mut shape = Shape::iam();
        shape.integer("maxSessionDuration", Some("43201"), (3600, 43200)).unwrap();
        assert_eq!(
            shape.finish().unwrap_err().message,
            "1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint: Member must have value less than or equal to 43200"
        );
    }

    #[test]
    fn reads_integers_as_sts_was_seen_to() {
        for accepted in ["900", "0900", "+900"] {
            assert_eq!(
                Shape::sts().integer("durationSeconds", Some(accepted), (900, 43200)).unwrap(),
                Some(900),
                "{accepted}"
            );
        }
        for malformed in [" 900 ", "900.0", "9e2", "2147483648", ""] {
            assert_eq!(
                Shape::sts().integer("durationSeconds", Some(malformed), (900, 43200)).unwrap_err().code,
                "MalformedInput",
                "{malformed}"
            );
        }
    }
}
