//! Ways in which a key can be at fault, as they are written on the command line.

use std::str::FromStr;

/// One fault. A key with faults is still the key that was enrolled: it signs whatever it says with the right secret, so
/// that only the check that the fault is aimed at can notice it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `drop-uv`: it says that it did not verify its user.
    DropUv,
    /// `drop-cred-protect`: it makes credentials that it would use without verifying its user.
    DropCredProtect,
    /// `counter=N`: its counter stands at this number.
    Counter(u32),
    /// `rp-id=HOST`: it says that it was asked in the name of this relying party.
    RpId(String),
    /// `user-handle=HEX`: it says that its credential is this user's; nothing after `=`: nobody's.
    UserHandle(Vec<u8>),
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("`{text}`: {what}");
        match text.split_once('=') {
            None if text == "drop-uv" => Ok(Self::DropUv),
            None if text == "drop-cred-protect" => Ok(Self::DropCredProtect),
            Some(("counter", number)) => number.parse().map(Self::Counter).map_err(|_| wrong("not a 32-bit number")),
            Some(("rp-id", host)) => Ok(Self::RpId(host.to_owned())),
            Some(("user-handle", digits)) => {
                bytes(digits).map(Self::UserHandle).ok_or_else(|| wrong("not pairs of hexadecimal digits"))
            }
            _ => Err(wrong("no such fault")),
        }
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pair = |at| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..digits.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn reads_what_the_help_shows() {
        for (text, fault) in [
            ("drop-uv", Fault::DropUv),
            ("drop-cred-protect", Fault::DropCredProtect),
            ("counter=0", Fault::Counter(0)),
            ("rp-id=evil.example.com", Fault::RpId("evil.example.com".to_owned())),
            ("user-handle=00fF", Fault::UserHandle(vec![0, 255])),
            ("user-handle=", Fault::UserHandle(Vec::new())),
        ] {
            assert_eq!(text.parse(), Ok(fault));
        }
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for text in
            ["", "drop", "drop-uv=1", "counter", "counter=-1", "user-handle=0", "user-handle=0g", "user-handle=é"]
        {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
