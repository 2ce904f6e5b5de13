//! How times and durations are said.

use jiff::{Timestamp, tz::TimeZone};

/// "just now", "12 minutes ago", "3 hours ago", "2 days ago".
#[must_use]
pub fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = (now.as_second() - then.as_second()).max(0);
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// "8 h", "6 h 12 min", "12 min", "40 s".
#[must_use]
pub fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match (seconds / 3_600, seconds % 3_600 / 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// "17:42" on the day of `now`, "Nov 24 10:00" on another day, in the given zone.
#[must_use]
pub fn moment(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let format = if at.date() == now.date() { "%H:%M" } else { "%b %-d %H:%M" };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn the_past_is_said_in_its_largest_unit() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let said = |seconds| ago(now, now - SignedDuration::from_secs(seconds));
        assert_eq!(said(59), "just now");
        assert_eq!(said(60), "1 minute ago");
        assert_eq!(said(12 * 60 + 59), "12 minutes ago");
        assert_eq!(said(2 * 3_600), "2 hours ago");
        assert_eq!(said(26 * 3_600), "1 day ago");
        assert_eq!(said(-5), "just now");
    }

    #[test]
    fn a_duration_has_at_most_two_units() {
        assert_eq!([28_800, 22_320, 720, 40, -1].map(duration), ["8 h", "6 h 12 min", "12 min", "40 s", "0 s"]);
    }

    #[test]
    fn the_day_is_said_only_when_it_is_another() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert_eq!(moment("2026-11-21T17:42:11Z".parse().unwrap(), now, &TimeZone::UTC), "17:42");
        assert_eq!(moment("2026-11-24T10:00:00Z".parse().unwrap(), now, &TimeZone::UTC), "Nov 24 10:00");
    }
}
