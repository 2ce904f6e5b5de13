//! One-time invite codes: short enough to read out, long enough that guessing one over the network is hopeless.
//!
//! The code is shown once, to the administrator who made it. Only a keyed hash is kept, so that a stolen store
//! redeems nothing.

use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::secrets::Secrets;
use crate::store::record::InviteHash;

/// Crockford's base 32: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Symbols of a code, of 5 bits each.
const LENGTH: usize = 12;

/// Symbols between two dashes.
const GROUP: usize = 4;

/// What was typed is no invite code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InviteCodeError {
    /// Too many or too few symbols.
    #[error("an invite code has {LENGTH} letters and digits, like 7KQF-29MD-W3XA; this one has {0}")]
    Length(usize),
    /// A character that no code contains.
    #[error("an invite code has only letters and digits, like 7KQF-29MD-W3XA; {0:?} is none of them")]
    Character(char),
}

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

    /// Ignores letter case, spaces and dashes, and takes the letters people confuse with digits for those digits.
    fn from_str(text: &str) -> Result<Self, InviteCodeError> {
        let mut code = Zeroizing::new(String::with_capacity(LENGTH));
        let mut length = 0;
        for character in text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}')) {
            let symbol = match character.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            if !u8::try_from(symbol).is_ok_and(|symbol| ALPHABET.contains(&symbol)) {
                return Err(InviteCodeError::Character(character));
            }
            length += 1;
            if length <= LENGTH {
                code.push(symbol);
            }
        }
        if length == LENGTH { Ok(Self(code)) } else { Err(InviteCodeError::Length(length)) }
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

    use super::{InviteCode, InviteCodeError};
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
    fn letter_case_spaces_dashes_and_confusable_letters_do_not_matter() {
        let code: InviteCode = "7KQF-29MD-W301".parse().unwrap();
        for typed in ["7kqf29mdw301", " 7KQF 29MD W3OI ", "7kqf-29md-w3ol", "7KQF\u{2013}29MD\u{2013}W3OL\n"] {
            assert_eq!(typed.parse::<InviteCode>().unwrap(), code, "{typed}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_what_was_typed() {
        assert_eq!("7KQF-29MD".parse::<InviteCode>(), Err(InviteCodeError::Length(8)));
        assert_eq!("7KQF-29MD-W3XA-7".parse::<InviteCode>(), Err(InviteCodeError::Length(13)));
        assert_eq!("7KQF-29MD-W3UA".parse::<InviteCode>(), Err(InviteCodeError::Character('U')));
        assert_eq!("7KQF-29MD-W3é1".parse::<InviteCode>(), Err(InviteCodeError::Character('é')));
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
