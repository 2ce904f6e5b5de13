//! Wildcards: `*` is any run of characters, `?` is one.

use super::context::Context;
use super::document::Version;
use super::variables::{self, Piece};

/// A text with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Token>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Any,
    One,
    /// One UTF-16 unit: what `?` stands for, as recorded from AWS.
    Unit(u16),
}

impl Pattern {
    /// A pattern without variables.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(tokens(text).collect())
    }

    /// A pattern whose policy variables are replaced; what they stand for is taken literally. `None` when a variable
    /// has no value, so that the pattern can match nothing.
    #[must_use]
    pub fn expand(text: &str, version: Version, context: &Context) -> Option<Self> {
        let pieces = variables::expand(text, version, context)?;
        Some(Self(
            pieces
                .iter()
                .flat_map(|piece| match piece {
                    Piece::Literal(text) => text.encode_utf16().map(Token::Unit).collect::<Vec<_>>(),
                    Piece::Pattern(text) => tokens(text).collect(),
                })
                .collect(),
        ))
    }

    /// Whether the pattern is `*` alone.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0 == [Token::Any]
    }

    /// Whether the pattern covers a text, case included.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<u16> = text.encode_utf16().collect();
        glob(&self.0, &text)
    }

    /// Whether the pattern covers an ARN: each of the first five fields by itself, the rest as one.
    #[must_use]
    pub fn matches_arn(&self, arn: &str) -> bool {
        const COLON: Token = Token::Unit(b':' as u16);
        let fields: Vec<&[Token]> = self.0.splitn(6, |token| *token == COLON).collect();
        let arn: Vec<Vec<u16>> = arn.splitn(6, ':').map(|field| field.encode_utf16().collect()).collect();
        fields.len() == 6 && arn.len() == 6 && fields.iter().zip(&arn).all(|(pattern, field)| glob(pattern, field))
    }
}

/// Whether a pattern without variables matches a text, case apart: actions are written in any case.
#[must_use]
pub fn matches_ignoring_case(pattern: &str, text: &str) -> bool {
    Pattern::new(&pattern.to_lowercase()).matches(&text.to_lowercase())
}

fn tokens(text: &str) -> impl Iterator<Item = Token> + '_ {
    text.encode_utf16().map(|unit| match unit {
        0x2a => Token::Any,
        0x3f => Token::One,
        unit => Token::Unit(unit),
    })
}

/// Greedy matching that falls back to the last star: linear in practice, quadratic at worst, never exponential.
fn glob(pattern: &[Token], text: &[u16]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(unit) = text.get(read) {
        match pattern.get(at) {
            Some(Token::Any) => {
                at += 1;
                retry = Some((at, read));
            }
            Some(token) if matches!(token, Token::One) || *token == Token::Unit(*unit) => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                at = after_star;
                read = from + 1;
            }
        }
    }
    pattern.get(at..).is_none_or(|rest| rest.iter().all(|token| *token == Token::Any))
}

#[cfg(test)]
mod tests {
    use super::{Pattern, matches_ignoring_case};

    #[test]
    fn matches_stars_and_single_characters() {
        let rows = [
            ("*", "", true),
            ("*@example.com", "alice@example.com", true),
            ("*@example.com", "alice@example.com.evil", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("?", "", false),
            ("?", "é", true),
            ("?", "😀", false),
            ("??", "😀", true),
            ("abc", "ABC", false),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(Pattern::new(pattern).matches(text), expected, "{pattern} / {text}");
        }
        assert!(matches_ignoring_case("STS:assume*", "sts:AssumeRole"));
    }

    #[test]
    fn a_star_in_one_field_of_an_arn_does_not_reach_the_next() {
        let arn = "arn:aws:iam::999999999999:role/vouch/VouchAccess";
        assert!(Pattern::new("arn:aws:iam::*:role/vouch/*").matches_arn(arn));
        assert!(!Pattern::new("arn:*:role/vouch/*").matches_arn(arn));
        assert!(!Pattern::new("arn:aws:iam::1*").matches_arn(arn));
    }
}
