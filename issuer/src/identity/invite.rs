//! One-time invite codes: short enough to read out, long enough that guessing one over the network is hopeless.
//!
//! The code is shown once, to the administrator who made it. Only a keyed hash is kept, so that a stolen store
//! redeems nothing.

use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use vouch_issuer_api::invite::{self, ALPHABET, InviteCodeError, LENGTH};
use zeroize::Zeroizing;

use super::secrets::Secrets;
use crate::store::record::InviteHash;

/// Symbols between two dashes.
const GROUP: usize = 4;

/// A code of 60 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteCode(Zeroizing<String>);

impl InviteCode {
    /// A new code from the system's random number generator.
    ///
    /// # Errors
    /// When the generator fails.
    pub fn generate() -> Result<Self, aws_lc_rs::error::Unspecified> {
        let mut random = Zeroizing::new([0_u8; LENGTH]);
        aws_lc_rs::rand::fill(random.as_mut_slice())?;
        // 256 is a multiple of 32, so every symbol is as likely as the next.
        let symbols = random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32)).copied().map(char::from));
        Ok(Self(Zeroizing::new(symbols.collect())))
    }

    /// The code in groups, to hand over: `7KQF-29MD-W3XA`. Nothing else shows it.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
        for (position, symbol) in self.0.chars().enumerate() {
            if position > 0 && position % GROUP == 0 {
                text.push('-');
            }
            text.push(symbol);
        }
        text
    }

    /// What the store keeps, and finds the invite by.
    #[must_use]
    pub fn hash(&self, secrets: &Secrets) -> InviteHash {
        InviteHash(URL_SAFE_NO_PAD.encode(hmac::sign(secrets.invites(), self.0.as_bytes())))
    }
}

impl FromStr for InviteCode {
    type Err = InviteCodeError;

    fn from_str(text: &str) -> Result<Self, InviteCodeError> {
        invite::parse(text).map(Self)
    }
}

impl std::fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InviteCode")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::InviteCode;
    use crate::identity::secrets::Secrets;

    #[test]
    fn a_code_is_three_groups_of_four_symbols_and_reads_back() {
        for _ in 0..100 {
            let code = InviteCode::generate().unwrap();
            let text = code.reveal();
            assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [4, 4, 4]);
            assert_eq!(text.parse::<InviteCode>().unwrap(), code);
        }
    }

    #[test]
    fn the_hash_depends_on_the_code_and_on_the_secret() {
        let (one, two) = (Secrets::derive(&[1; 32]).unwrap(), Secrets::derive(&[2; 32]).unwrap());
        let code: InviteCode = "7KQF-29MD-W3XA".parse().unwrap();
        let other: InviteCode = "7KQF-29MD-W3XB".parse().unwrap();
        assert_eq!(code.hash(&one), "7kqf29mdw3xa".parse::<InviteCode>().unwrap().hash(&one));
        assert_ne!(code.hash(&one), code.hash(&two));
        assert_ne!(code.hash(&one), other.hash(&one));
    }

    #[test]
    fn codes_do_not_repeat_and_use_the_whole_alphabet() {
        let codes: HashSet<_> = (0..1000).map(|_| InviteCode::generate().unwrap().reveal().to_string()).collect();
        assert_eq!(codes.len(), 1000);
        let symbols: HashSet<_> = codes.iter().flat_map(|code| code.chars()).collect();
        assert_eq!(symbols.len(), 33);
    }

    #[test]
    fn debug_output_does_not_show_the_code() {
        let code = InviteCode::generate().unwrap();
        assert_eq!(format!("{code:?}"), "InviteCode");
    }
}
