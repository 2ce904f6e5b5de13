//! Text encodings that AWS defines precisely.

use std::fmt::Write as _;

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Percent-encodes everything outside the unreserved characters of RFC 3986, as the canonical request of SigV4 wants.
#[must_use]
pub fn uri_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// A point in time as `20150830T123600Z`, or `None` when the text is anything else.
#[must_use]
pub fn parse_basic_time(text: &str) -> Option<jiff::Timestamp> {
    if text.len() != 16 || !text.ends_with('Z') {
        return None;
    }
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A point in time as `20150830T123600Z`.
#[must_use]
pub fn basic_time(time: jiff::Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A point in time in whole seconds, as `2015-08-30T12:36:00Z`.
#[must_use]
pub fn iso_time(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A point in time in milliseconds, as `2015-08-30T12:36:00.123Z`.
#[must_use]
pub fn iso_time_millis(time: jiff::Timestamp) -> String {
    format!("{}.{:03}Z", time.strftime("%Y-%m-%dT%H:%M:%S"), time.subsec_millisecond())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{basic_time, hex, parse_basic_time, uri_encode};

    #[test]
    fn encodes_as_aws_defines() {
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
        assert_eq!(uri_encode("a b/ü~*"), "a%20b%2F%C3%BC~%2A");
    }

    #[test]
    fn reads_only_the_basic_time_form() {
        let time = parse_basic_time("20150830T123600Z").unwrap();
        assert_eq!(basic_time(time), "20150830T123600Z");
        for other in ["2015-08-30T12:36:00Z", "20150830T123600", "20151330T123600Z", "20150830T123600z"] {
            assert_eq!(parse_basic_time(other), None, "{other}");
        }
    }
}
