//! What can go wrong between this program and a security key, by kind.
//!
//! Ceremonies decide by these kinds; [`Failure`] is what a person finally sees. No text of a library reaches either.

use std::path::PathBuf;

use crate::error::{Category, Failure};

/// The rule that lets the person at the machine use keys of one maker, for systems whose udev has none. It must name a
/// vendor: a rule for every hidraw device would hand over the keyboard too.
pub const UDEV_RULE: &str =
    r#"KERNEL=="hidraw*", SUBSYSTEM=="hidraw", ATTRS{idVendor}=="1050", TAG+="uaccess", MODE="0660", GROUP="plugdev""#;

/// Where [`UDEV_RULE`] goes.
pub const UDEV_RULE_PATH: &str = "/etc/udev/rules.d/70-security-key.rules";

/// A failed exchange with a key, in words for a person. The numbers are CTAP status codes (CTAP 2.1 §8.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The device node exists, and the system does not let this person open it.
    #[error("a security key is plugged in, but you have no permission to open {}", node.display())]
    NoPermission {
        /// The device node.
        node: PathBuf,
    },
    /// The kernel sees a key for which there is no device node here, as in a container.
    #[error("a security key is plugged in, but {} does not exist here", node.display())]
    NoDeviceNode {
        /// Where it was expected.
        node: PathBuf,
    },
    /// The key was removed, or was gone before it could be opened.
    #[error("the security key was unplugged before it answered")]
    Unplugged,
    /// 0x06, or another program's packets arrived instead of the answer.
    #[error("another program is using the security key")]
    Busy,
    /// 0x2F, 0x3A, 0x05: nobody touched the key in time.
    #[error("the security key was not touched in time")]
    NotTouched,
    /// 0x2D: this program cancelled the request.
    #[error("the security key stopped waiting for a touch")]
    Cancelled,
    /// 0x27: the person or the key said no.
    #[error("the security key denied the operation")]
    Denied,
    /// 0x19: the key holds one of the excluded credentials.
    #[error("this security key is enrolled for you already")]
    Excluded,
    /// 0x2E: the key holds no credential for this relying party.
    #[error("this security key is not enrolled for you here")]
    NoCredentials,
    /// 0x22: there is no such credential on the key.
    #[error("the security key does not hold this credential")]
    InvalidCredential,
    /// 0x28: no room for another resident credential.
    #[error("the security key has no room for another credential")]
    StoreFull,
    /// 0x26, 0x2B, 0x2C, 0x01, 0x3E: the key cannot do what was asked.
    #[error("this security key cannot do what is needed here")]
    Unsupported(u8),
    /// 0x31: the PIN is wrong; a try was used up.
    #[error("the PIN is wrong")]
    PinInvalid,
    /// 0x32: too many wrong PINs; only a reset helps, and it deletes what is on the key.
    #[error("the PIN of this security key is blocked: it was entered wrongly too often")]
    PinBlocked,
    /// 0x33, 0x38, 0x40: the proof of the PIN was not accepted for this operation.
    #[error("the security key did not accept the proof of its PIN")]
    PinAuthInvalid,
    /// 0x34: three wrong PINs in a row; the key wants to be unplugged.
    #[error("the PIN was wrong three times in a row; the security key waits to be reinserted")]
    PinAuthBlocked,
    /// 0x35: the key has no PIN.
    #[error("this security key has no PIN")]
    PinNotSet,
    /// 0x36: the key wants its PIN.
    #[error("the security key wants its PIN")]
    PinRequired,
    /// 0x37: the new PIN breaks the key's rules.
    #[error("the security key does not accept the new PIN")]
    PinPolicy,
    /// 0x3F: the fingerprint was not recognised.
    #[error("the fingerprint was not recognised")]
    UvInvalid,
    /// 0x3C: too many fingerprints were not recognised; the PIN unlocks it.
    #[error("the fingerprint sensor is blocked: too many prints were not recognised")]
    UvBlocked,
    /// The key did not answer at all.
    #[error("the security key does not answer")]
    NotResponding,
    /// The answer made no sense.
    #[error("the answer of the security key could not be understood")]
    Garbled,
    /// A status that has no meaning of its own here.
    #[error("the security key failed")]
    Status(u8),
}

impl KeyError {
    /// The meaning of a CTAP status code (CTAP 2.1 §8.2, CTAPHID errors §11.2.9.1.6).
    #[must_use]
    pub const fn from_status(status: u8) -> Self {
        match status {
            0x06 => Self::Busy,
            0x05 | 0x2F | 0x3A => Self::NotTouched,
            0x19 => Self::Excluded,
            0x22 => Self::InvalidCredential,
            0x01 | 0x26 | 0x2B | 0x2C | 0x3E => Self::Unsupported(status),
            0x27 => Self::Denied,
            0x28 => Self::StoreFull,
            0x2D => Self::Cancelled,
            0x2E => Self::NoCredentials,
            0x31 => Self::PinInvalid,
            0x32 => Self::PinBlocked,
            0x33 | 0x38 | 0x40 => Self::PinAuthInvalid,
            0x34 => Self::PinAuthBlocked,
            0x35 => Self::PinNotSet,
            0x36 => Self::PinRequired,
            0x37 => Self::PinPolicy,
            0x3C => Self::UvBlocked,
            0x3F => Self::UvInvalid,
            other => Self::Status(other),
        }
    }

    fn advice(&self) -> String {
        match self {
            Self::NoPermission { .. } => format!(
                "Put the line below into {UDEV_RULE_PATH} (1050 is Yubico; lsusb shows the number of another maker), run: \
                 sudo udevadm control --reload && sudo udevadm trigger, and reinsert the key"
            ),
            Self::NoDeviceNode { .. } => {
                "In a container, pass the device through; in WSL, attach it with usbipd. Details: vouch doctor".into()
            }
            Self::Unplugged => "Insert it again and run the command once more.".into(),
            Self::Busy => "Close the other program (often a browser tab or ssh), then run the command again.".into(),
            Self::NotTouched | Self::Cancelled => "Run the command again and touch the key while it blinks.".into(),
            Self::StoreFull => {
                "Delete a credential you no longer need (ykman fido credentials list), or use another key.".into()
            }
            Self::PinBlocked => {
                "Use another key. A reset (ykman fido reset) makes this one usable again and erases everything on it."
                    .into()
            }
            Self::PinAuthBlocked => "Remove the key, insert it again, and run the command once more.".into(),
            Self::PinNotSet => "Run the command again and set one, or use: ykman fido access change-pin".into(),
            Self::Excluded | Self::NoCredentials | Self::Unsupported(_) | Self::UvBlocked => "Use another key.".into(),
            Self::NotResponding | Self::Garbled | Self::Status(_) => {
                "Close other programs that use the key, reinsert it, and run the command again.".into()
            }
            Self::Denied
            | Self::InvalidCredential
            | Self::PinInvalid
            | Self::PinAuthInvalid
            | Self::PinRequired
            | Self::PinPolicy
            | Self::UvInvalid => "Run the command again.".into(),
        }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let detail = match error {
            KeyError::Unsupported(status) | KeyError::Status(status) => Some(format!("CTAP status {status:#04x}")),
            _ => None,
        };
        let failure = Self::new(Category::NoKey, error.to_string()).hint(error.advice());
        let failure = if matches!(error, KeyError::NoPermission { .. }) { failure.copy(UDEV_RULE) } else { failure };
        match detail {
            Some(detail) => failure.detail(detail),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_a_ceremony_decides_by_has_its_own_meaning() {
        let meanings = [
            (0x06, KeyError::Busy),
            (0x19, KeyError::Excluded),
            (0x22, KeyError::InvalidCredential),
            (0x26, KeyError::Unsupported(0x26)),
            (0x27, KeyError::Denied),
            (0x28, KeyError::StoreFull),
            (0x2B, KeyError::Unsupported(0x2B)),
            (0x2D, KeyError::Cancelled),
            (0x2E, KeyError::NoCredentials),
            (0x2F, KeyError::NotTouched),
            (0x31, KeyError::PinInvalid),
            (0x32, KeyError::PinBlocked),
            (0x33, KeyError::PinAuthInvalid),
            (0x34, KeyError::PinAuthBlocked),
            (0x35, KeyError::PinNotSet),
            (0x36, KeyError::PinRequired),
            (0x37, KeyError::PinPolicy),
            (0x3A, KeyError::NotTouched),
        ];
        for (status, meaning) in meanings {
            assert_eq!(KeyError::from_status(status), meaning, "{status:#04x}");
        }
        assert_eq!(KeyError::from_status(0x7F), KeyError::Status(0x7F));
    }

    #[test]
    fn a_missing_permission_names_the_node_and_the_udev_rule() {
        let failure = Failure::from(KeyError::NoPermission { node: "/dev/hidraw3".into() });
        assert_eq!(failure.category, Category::NoKey);
        assert!(failure.message.contains("/dev/hidraw3"), "{failure}");
        let text = failure.render(false);
        let (sentence, line) = text.split_once('\n').unwrap_or_default();
        assert!(sentence.contains(UDEV_RULE_PATH), "{text}");
        assert_eq!(line.trim(), UDEV_RULE, "alone on its line, to be copied");
    }

    #[test]
    fn an_odd_status_is_a_detail_and_never_part_of_the_sentence() {
        let failure = Failure::from(KeyError::Status(0x7F));
        assert!(!failure.message.contains("0x"), "{failure}");
        assert_eq!(failure.details, ["CTAP status 0x7f"]);
    }
}
