//! What an invite code looks like: letters and digits that nobody takes for each other, in three groups.
//!
//! The issuer decides which code is good. Clients notice a slip of the finger before they ask it.

use zeroize::Zeroizing;

/// Crockford's base 32: no I, L, O or U.
pub const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Symbols of a code, of 5 bits each.
pub const LENGTH: usize = 12;

/// What was typed is no invite code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InviteCodeError {
    /// Too many or too few symbols.
    #[error("an invite code has {LENGTH} letters and digits, like 7KQF-29MD-W3XA; this one has {0}")]
    Length(usize),
    /// A character that no code contains.
    #[error("an invite code has only letters and digits, like 7KQF-29MD-W3XA; {0:?} is none of them")]
    Character(char),
}

/// The symbols of a code, [`LENGTH`] of the [`ALPHABET`], however it was typed: letter case, spaces and dashes do not matter,
/// and the letters that are taken for digits are those digits.
///
/// # Errors
/// When it is no code.
pub fn parse(text: &str) -> Result<Zeroizing<String>, InviteCodeError> {
    let mut code = Zeroizing::new(String::with_capacity(LENGTH));
    let mut length = 0;
    for character in text.chars().filter(|c| !c.is_whitespace() && !is_dash(*c)) {
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
    if length == LENGTH { Ok(code) } else { Err(InviteCodeError::Length(length)) }
}

/// Whether somebody put a code, groups and all, where something else is wanted.
#[must_use]
pub fn is_code(text: &str) -> bool {
    text.contains(is_dash) && parse(text).is_ok()
}

/// A hyphen, or one of the dashes that editors make of it.
const fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn letter_case_spaces_dashes_and_confusable_letters_do_not_matter() {
        for typed in
            ["7KQF-29MD-W301", "7kqf29mdw301", " 7KQF 29MD W3OI ", "7kqf-29md-w3ol", "7KQF\u{2013}29MD\u{2013}W3OL\n"]
        {
            assert_eq!(parse(typed).unwrap().as_str(), "7KQF29MDW301", "{typed}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_what_was_typed() {
        for (typed, error) in [
            ("7KQF-29MD", InviteCodeError::Length(8)),
            ("7KQF-29MD-W3XA-7", InviteCodeError::Length(13)),
            ("7KQF-29MD-W3X!", InviteCodeError::Character('!')),
            ("7KQF-29MD-W3UA", InviteCodeError::Character('U')),
            ("7KQF-29MD-W3\u{e9}1", InviteCodeError::Character('\u{e9}')),
        ] {
            assert_eq!(parse(typed), Err(error), "{typed}");
        }
    }

    #[test]
    fn the_name_of_an_issuer_is_no_code() {
        assert!(is_code("AAAA-BBBB-CCCC"));
        for name in ["vouch.example.com", "localhost", "my-vouch-host", "abcdefabcdef"] {
            assert!(!is_code(name), "{name}");
        }
    }
}
