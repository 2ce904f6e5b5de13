//! Comparisons of numbers, dates and addresses. A text that is not of the type matches nothing.

use std::net::IpAddr;

use jiff::Timestamp;

/// How two values are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Equal.
    Equal,
    /// The request's value is less.
    Less,
    /// The request's value is less or equal.
    LessOrEqual,
    /// The request's value is greater.
    Greater,
    /// The request's value is greater or equal.
    GreaterOrEqual,
}

impl Order {
    /// The end of an operator's name, and whether it is the `Not` form.
    pub(super) fn from_name(name: &str) -> Option<(Self, bool)> {
        Some(match name {
            "Equals" => (Self::Equal, false),
            "NotEquals" => (Self::Equal, true),
            "LessThan" => (Self::Less, false),
            "LessThanEquals" => (Self::LessOrEqual, false),
            "GreaterThan" => (Self::Greater, false),
            "GreaterThanEquals" => (Self::GreaterOrEqual, false),
            _ => return None,
        })
    }

    fn holds<T: PartialOrd>(self, actual: &T, expected: &T) -> bool {
        match self {
            Self::Equal => actual == expected,
            Self::Less => actual < expected,
            Self::LessOrEqual => actual <= expected,
            Self::Greater => actual > expected,
            Self::GreaterOrEqual => actual >= expected,
        }
    }
}

/// Compares numbers.
pub(super) fn numbers(order: Order, expected: &str, actual: &str) -> bool {
    match (actual.parse::<f64>(), expected.parse::<f64>()) {
        (Ok(actual), Ok(expected)) => order.holds(&actual, &expected),
        _ => false,
    }
}

/// Compares points in time, written as ISO 8601 or as seconds since 1970.
pub(super) fn dates(order: Order, expected: &str, actual: &str) -> bool {
    match (date(actual), date(expected)) {
        (Some(actual), Some(expected)) => order.holds(&actual, &expected),
        _ => false,
    }
}

fn date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse() {
        return Timestamp::from_second(seconds).ok();
    }
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    day.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Whether an address lies in a CIDR range. A range of IPv6 with host bits matches nothing (recorded).
pub(super) fn address_in(range: &str, address: &str) -> bool {
    let (network, prefix) = range.split_once('/').map_or((range, None), |(network, prefix)| (network, Some(prefix)));
    let (Ok(network), Ok(address)) = (network.parse::<IpAddr>(), address.parse::<IpAddr>()) else { return false };
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let prefix = prefix.map_or(Ok(width), str::parse::<u32>);
    let Ok(prefix) = prefix else { return false };
    let Some(host_bits) = width.checked_sub(prefix) else { return false };
    let host_mask = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |bit| bit - 1);
    if width == 128 && network & host_mask != 0 {
        return false;
    }
    network | host_mask == address | host_mask
}

#[cfg(test)]
mod tests {
    use super::{Order, address_in, dates, numbers};

    #[test]
    fn finds_addresses_in_ranges() {
        let rows = [
            ("192.0.2.0/24", "192.0.2.200", true),
            ("192.0.2.7/24", "192.0.2.200", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8::1", true),
            ("2001:db8::1/32", "2001:db8::1", false),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("192.0.2.0/33", "192.0.2.1", false),
            ("nonsense", "192.0.2.1", false),
        ];
        for (range, address, expected) in rows {
            assert_eq!(address_in(range, address), expected, "{range} / {address}");
        }
    }

    #[test]
    fn compares_dates_in_both_notations() {
        assert!(dates(Order::Less, "2030-01-01T00:00:00Z", "2026-01-01T00:00:00Z"));
        assert!(dates(Order::Greater, "0", "2026-01-01T00:00:00Z"));
        assert!(dates(Order::Less, "2030-01-01", "2026-01-01T00:00:00Z"));
        assert!(!dates(Order::Less, "soon", "2026-01-01T00:00:00Z"));
        assert!(numbers(Order::LessOrEqual, "3600", "900") && !numbers(Order::Equal, "x", "x"));
    }
}
