//! `iat`, `exp` and `nbf`, each with five minutes of grace.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::wire::Fault;

/// Seconds by which the clocks of issuer and AWS may differ.
const GRACE: i64 = 300;

/// Checks the times of a token whose `iat` and `exp` are known to be there.
///
/// # Errors
/// `InvalidIdentityToken` for a malformed or future time, `ExpiredTokenException` after `exp` and the grace.
pub fn check(claims: &Map<String, Value>, now: Timestamp) -> Result<(), Fault> {
    let now = now.as_second();
    let (issued, expires, not_before) = (seconds(claims, "iat")?, seconds(claims, "exp")?, seconds(claims, "nbf")?);
    if let Some(issued) = issued
        && issued > now + GRACE
    {
        return Err(Fault::invalid_identity_token(format!("Token issued in the future: {issued}")));
    }
    let earliest = now - GRACE;
    if let Some(expires) = expires
        && earliest >= expires
    {
        let text =
            format!("Token expired: current date/time {earliest} must be before the expiration date/time {expires}");
        return Err(Fault::new("ExpiredTokenException", 400, text));
    }
    let latest = now + GRACE;
    if let Some(start) = not_before
        && latest < start
    {
        return Err(Fault::invalid_identity_token(format!(
            "Token not yet valid: current date/time {latest} must be after or equal to the not-before date/time {start}"
        )));
    }
    Ok(())
}

/// An integer, or a decimal integer as text. Present and anything else, even null, is refused.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Fault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    // Far beyond every date, and still safe to add a grace to.
    let bounded = seconds.filter(|seconds| seconds.unsigned_abs() < 1 << 60);
    bounded.map(Some).ok_or_else(|| Fault::invalid_identity_token("Invalid timestamp in token claims."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::check;
    use jiff::Timestamp;
    use serde_json::{Value, json};

    /// The instant at which the grace begins to end: `exp` 300 s ago is refused, 299 s ago is not.
    #[test]
    fn the_grace_is_five_minutes_on_each_side() {
        let now = Timestamp::from_second(1_789_123_721).unwrap();
        let verdict = |claims: Value| check(claims.as_object().unwrap(), now).map_err(|fault| fault.message);
        let at = |offset: i64| now.as_second() + offset;
        let good = json!({"iat": at(0), "exp": at(60)});
        assert_eq!(verdict(good), Ok(()));
        assert_eq!(verdict(json!({"iat": at(300), "exp": at(-299), "nbf": at(300)})), Ok(()));
        assert!(
            verdict(json!({"iat": at(301), "exp": at(60)})).unwrap_err().starts_with("Token issued in the future: ")
        );
        assert_eq!(
            verdict(json!({"iat": at(0), "exp": 1_789_123_397_i64})).unwrap_err(),
            "Token expired: current date/time 1789123421 must be before the expiration date/time 1789123397"
        );
        assert!(verdict(json!({"iat": at(0), "exp": at(-300)})).unwrap_err().starts_with("Token expired: "));
        assert!(
            verdict(json!({"iat": at(0), "exp": at(60), "nbf": at(301)}))
                .unwrap_err()
                .starts_with("Token not yet valid: ")
        );
        assert!(verdict(json!({"iat": at(0), "exp": i64::MAX})).is_err());
    }
}
