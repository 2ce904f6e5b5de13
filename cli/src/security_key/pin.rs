//! The PIN of a security key while it is in this program's memory.

use std::sync::Arc;

use zeroize::Zeroizing;

/// The shortest PIN a key may have, in Unicode code points (CTAP 2.1 §6.5.1).
pub const MIN_LENGTH: u32 = 4;

/// The longest PIN a key may have, in bytes of UTF-8 (CTAP 2.1 §6.5.1). The CTAP library panics on longer ones.
pub const MAX_BYTES: usize = 63;

/// A PIN that has a length a key can have. Wiped from memory with its last copy; its `Debug` shows nothing.
#[derive(Clone)]
pub struct Pin(Arc<Zeroizing<String>>);

impl Pin {
    /// Takes what a person typed, unless no key could have it as its PIN: `min` is the key's own minimum, in code points.
    ///
    /// # Errors
    /// [`PinLength`] when it is too short or too long. The key has not been asked, so no try is used up.
    pub fn new(typed: Zeroizing<String>, min: u32) -> Result<Self, PinLength> {
        let min = min.max(MIN_LENGTH);
        let points = u32::try_from(typed.chars().count()).unwrap_or(u32::MAX);
        if points < min {
            return Err(PinLength::TooShort { min });
        }
        if typed.len() > MAX_BYTES {
            return Err(PinLength::TooLong);
        }
        Ok(Self(Arc::new(typed)))
    }

    /// The PIN itself, for the key only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// Whether both are the same; two entries of one person are compared, so the time it takes tells nobody anything.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes() == other.0.as_bytes()
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// Why something typed cannot be a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinLength {
    /// Fewer code points than the key wants.
    #[error("a PIN has at least {min} characters")]
    TooShort {
        /// The key's minimum.
        min: u32,
    },
    /// More bytes than a key takes.
    #[error("a PIN has at most {MAX_BYTES} bytes")]
    TooLong,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn pin(text: &str, min: u32) -> Result<Pin, PinLength> {
        Pin::new(Zeroizing::new(text.to_owned()), min)
    }

    #[test]
    fn refuses_a_pin_no_key_could_have_before_a_key_sees_it() {
        assert_eq!(pin("123", 4).unwrap_err(), PinLength::TooShort { min: 4 });
        assert_eq!(pin("1234567", 8).unwrap_err(), PinLength::TooShort { min: 8 });
        assert_eq!(pin(&"x".repeat(64), 4).unwrap_err(), PinLength::TooLong);
        assert_eq!(pin(&"é".repeat(32), 4).unwrap_err(), PinLength::TooLong);
        assert!(pin(&"x".repeat(63), 4).is_ok());
    }

    #[test]
    fn counts_code_points_and_never_accepts_fewer_than_four() {
        assert!(pin("éééé", 0).is_ok());
        assert_eq!(pin("ééé", 0).unwrap_err(), PinLength::TooShort { min: 4 });
    }

    #[test]
    fn a_pin_is_never_shown() {
        assert_eq!(format!("{:?}", pin("123456", 4).unwrap()), "Pin(..)");
    }
}
