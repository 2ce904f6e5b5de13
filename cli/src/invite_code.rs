//! What an invite code looks like, so that a slip of the finger is noticed before the issuer is asked.
//!
//! The issuer decides which code is good, and forgives the same things: letter case, spaces, dashes, and the letters that
//! are taken for digits.

/// Crockford's base 32: no I, L, O or U.
const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Symbols of a code.
const LENGTH: usize = 12;

/// Why a text cannot be an invite code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoInviteCode {
    /// Too many or too few symbols.
    #[error("an invite code has {LENGTH} letters and digits, like 7KQF-29MD-W3XA; this one has {0}")]
    Length(usize),
    /// A character that no code contains.
    #[error("an invite code has only letters and digits, like 7KQF-29MD-W3XA; {0:?} is none of them")]
    Character(char),
}

/// Whether `text` can be an invite code.
///
/// # Errors
/// [`NoInviteCode`].
pub fn check(text: &str) -> Result<(), NoInviteCode> {
    let mut length = 0;
    for character in text.chars().filter(|c| !c.is_whitespace() && !is_dash(*c)) {
        let symbol = match character.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        if !ALPHABET.contains(symbol) {
            return Err(NoInviteCode::Character(character));
        }
        length += 1;
    }
    if length == LENGTH { Ok(()) } else { Err(NoInviteCode::Length(length)) }
}

/// Whether somebody put a code, groups and all, where something else is wanted.
#[must_use]
pub fn is_code(text: &str) -> bool {
    text.contains(is_dash) && check(text).is_ok()
}

const fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_in_every_spelling_that_the_issuer_takes() {
        for code in ["7KQF-29MD-W3XA", "7kqf29mdw3xa", " 7KQF 29MD W3XA", "OIL0-1111-2222"] {
            assert_eq!(check(code), Ok(()), "{code}");
        }
        assert_eq!(check("7KQF-29MD"), Err(NoInviteCode::Length(8)));
        assert_eq!(check("7KQF-29MD-W3X!"), Err(NoInviteCode::Character('!')));
    }

    #[test]
    fn the_name_of_an_issuer_is_no_code() {
        assert!(is_code("AAAA-BBBB-CCCC"));
        for name in ["vouch.example.com", "localhost", "my-vouch-host", "abcdefabcdef"] {
            assert!(!is_code(name), "{name}");
        }
    }
}
