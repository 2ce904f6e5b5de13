//! Reads what the CTAP library says when a call fails.
//!
//! The library reports every failure as a sentence; only the status number in it is stable. This is the one place that
//! knows its wording.

use super::error::KeyError;

/// The kind of failure a message of the library stands for.
pub(super) fn parse(message: &str) -> KeyError {
    if message.contains("read err") || message.contains("write err") {
        return KeyError::Unplugged;
    }
    if message.contains("Nonce verification failed") {
        return KeyError::Busy;
    }
    match status(message) {
        Some(status) => KeyError::from_status(status),
        None => KeyError::Garbled,
    }
}

/// The number in `response_status err = 0x31 CTAP2_ERR_PIN_INVALID   PIN Invalid.`
fn status(message: &str) -> Option<u8> {
    let (_, rest) = message.split_once("response_status err = 0x")?;
    let digits = rest.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_status_number_and_ignores_the_words() {
        let message = "response_status err = 0x31 CTAP2_ERR_PIN_INVALID   PIN Invalid.";
        assert_eq!(parse(message), KeyError::PinInvalid);
        assert_eq!(parse("response_status err = 0x28 whatever"), KeyError::StoreFull);
        assert_eq!(parse("response_status err = 0x6"), KeyError::Busy);
    }

    #[test]
    fn a_lost_transport_is_a_key_that_was_unplugged() {
        for message in ["read err = 0xFE", "read err = 0xFE Vendor", "read error", "write error"] {
            assert_eq!(parse(message), KeyError::Unplugged, "{message}");
        }
    }

    #[test]
    fn an_answer_meant_for_another_program_means_the_key_is_busy() {
        assert_eq!(parse("Nonce verification failed"), KeyError::Busy);
    }

    #[test]
    fn anything_else_is_an_answer_that_could_not_be_understood() {
        for message in ["", "response size error", "response_status err = 0x", "response_status err = 0x1FF"] {
            assert_eq!(parse(message), KeyError::Garbled, "{message}");
        }
    }
}
