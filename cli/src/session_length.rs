//! How long AWS credentials shall last, as a person or a profile says it.

/// The shortest session AWS gives, in seconds (`DurationSeconds` of AssumeRole, STS API Reference).
const SHORTEST: u32 = 900;

/// The longest, in seconds; most roles allow less.
const LONGEST: u32 = 43_200;

/// Why a text is no such duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSessionLength {
    /// Not a number with a unit.
    #[error("`{0}` is no duration; give seconds, or a number with a unit such as 15m or 1h")]
    Form(String),
    /// AWS has no such sessions.
    #[error("`{0}` is out of range: AWS credentials last from 15m (900 seconds) to 12h (43200 seconds)")]
    Range(String),
}

/// `3600`, `3600s`, `60m` or `1h`, in seconds.
///
/// # Errors
/// [`NoSessionLength`].
pub fn parse(text: &str) -> Result<u32, NoSessionLength> {
    let (digits, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(digits) if text.ends_with('h') => (digits, 3600),
        Some(digits) if text.ends_with('m') => (digits, 60),
        Some(digits) => (digits, 1),
        None => (text, 1),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NoSessionLength::Form(text.to_owned()));
    }
    let seconds = digits.parse::<u32>().ok().and_then(|number| number.checked_mul(unit));
    seconds
        .filter(|seconds| (SHORTEST..=LONGEST).contains(seconds))
        .ok_or_else(|| NoSessionLength::Range(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_minutes_and_hours_are_understood() {
        for (text, seconds) in [("900", 900), ("3600s", 3600), ("15m", 900), ("1h", 3600), ("12h", 43_200)] {
            assert_eq!(parse(text), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_told_from_one_that_aws_never_grants() {
        for text in ["", "h", "soon", "1d", "-1", "+900", "1.5h", "1h30m"] {
            assert_eq!(parse(text), Err(NoSessionLength::Form(text.to_owned())));
        }
        for text in ["5", "899", "43201", "13h", "99999999999", "4294967295h"] {
            assert_eq!(parse(text), Err(NoSessionLength::Range(text.to_owned())));
        }
    }
}
