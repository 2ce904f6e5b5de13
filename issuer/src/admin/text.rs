//! How moments look to a person.

use jiff::{Timestamp, tz::TimeZone};

/// A moment in the local time zone, such as `Nov 24 10:00 CET`; with the year when it is another one than `now`'s.
#[must_use]
pub fn moment(at: Timestamp, now: Timestamp) -> String {
    moment_in(at, now, TimeZone::system())
}

fn moment_in(at: Timestamp, now: Timestamp, zone: TimeZone) -> String {
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone));
    let form = if at.year() == now.year() { "%b %-d %H:%M %Z" } else { "%b %-d %Y %H:%M %Z" };
    at.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_year_shows_only_when_it_is_another_one() {
        let now = "2026-11-21T09:00:00Z".parse().unwrap();
        let show = |at: &str| moment_in(at.parse().unwrap(), now, TimeZone::UTC);
        assert_eq!(show("2026-11-24T10:00:00Z"), "Nov 24 10:00 UTC");
        assert_eq!(show("2027-01-04T10:00:00Z"), "Jan 4 2027 10:00 UTC");
    }
}
