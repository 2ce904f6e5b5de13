//! One line as it is typed, byte by byte: the terminal neither shows it nor edits it for us.

use zeroize::Zeroizing;

/// More than any PIN or answer has. The buffer never grows, so no copy of a PIN stays behind in freed memory.
const CAPACITY: usize = 256;

/// A line that is being typed.
#[derive(Debug)]
pub(super) struct Line {
    bytes: Zeroizing<Vec<u8>>,
    escape: Escape,
}

/// Where in an escape sequence (an arrow key, say) the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    No,
    Begun,
    Parameters,
}

/// What a byte did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing to show.
    Nothing,
    /// It belongs to the line.
    Typed(u8),
    /// That many characters went away at the end.
    Erased(usize),
    /// The line is complete.
    Done,
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D at the beginning of the line.
    Closed,
}

impl Default for Line {
    fn default() -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(CAPACITY)), escape: Escape::No }
    }
}

impl Line {
    /// Takes the next byte.
    pub(super) fn push(&mut self, byte: u8) -> Step {
        match (self.escape, byte) {
            (Escape::No, 0x1B) => self.escape = Escape::Begun,
            (Escape::Begun, b'[' | b'O') => self.escape = Escape::Parameters,
            (Escape::Parameters, 0x20..=0x3F) => {}
            (Escape::Begun | Escape::Parameters, 0x20..) => self.escape = Escape::No,
            _ => {
                self.escape = Escape::No;
                return self.edit(byte);
            }
        }
        Step::Nothing
    }

    fn edit(&mut self, byte: u8) -> Step {
        match byte {
            b'\r' | b'\n' => Step::Done,
            0x03 => Step::Interrupted,
            0x04 if self.bytes.is_empty() => Step::Closed,
            // Backspace and delete.
            0x08 | 0x7F => Step::Erased(self.erase_last()),
            // Ctrl-U and Ctrl-W: a PIN has no words.
            0x15 | 0x17 => {
                let mut erased = 0;
                while !self.bytes.is_empty() {
                    erased += self.erase_last();
                }
                Step::Erased(erased)
            }
            0x00..=0x1F => Step::Nothing,
            _ if self.bytes.len() < CAPACITY => {
                self.bytes.push(byte);
                Step::Typed(byte)
            }
            _ => Step::Nothing,
        }
    }

    /// The number of characters that went away: one, or none.
    fn erase_last(&mut self) -> usize {
        while let Some(byte) = self.bytes.pop() {
            if !is_continuation(byte) {
                return 1;
            }
        }
        0
    }

    /// The line; `None` when it is not UTF-8.
    pub(super) fn into_text(mut self) -> Option<Zeroizing<String>> {
        match String::from_utf8(std::mem::take(&mut *self.bytes)) {
            Ok(text) => Some(Zeroizing::new(text)),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                None
            }
        }
    }
}

/// Whether a byte continues a character of UTF-8.
pub(super) const fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(input: &[u8]) -> (Option<String>, Option<Step>) {
        let mut line = Line::default();
        let end = input
            .iter()
            .map(|byte| line.push(*byte))
            .find(|step| matches!(step, Step::Done | Step::Interrupted | Step::Closed));
        (line.into_text().map(|text| text.to_string()), end)
    }

    #[test]
    fn a_line_ends_at_enter() {
        for enter in [b"123456\r", b"123456\n"] {
            assert_eq!(typed(enter), (Some("123456".into()), Some(Step::Done)));
        }
    }

    #[test]
    fn backspace_takes_whole_characters() {
        assert_eq!(typed("aé\u{7F}b\u{8}c".as_bytes()).0.as_deref(), Some("ac"));
        assert_eq!(typed(b"\x7F\x7Fa").0.as_deref(), Some("a"));
        let mut line = Line::default();
        for byte in "aé".bytes() {
            let _ = line.push(byte);
        }
        assert_eq!(
            (line.push(0x7F), line.push(0x7F), line.push(0x7F)),
            (Step::Erased(1), Step::Erased(1), Step::Erased(0))
        );
    }

    #[test]
    fn ctrl_u_starts_over() {
        assert_eq!(typed(b"wrong\x15right\r").0.as_deref(), Some("right"));
    }

    #[test]
    fn ctrl_c_and_ctrl_d_are_not_part_of_a_pin() {
        assert_eq!(typed(b"12\x03").1, Some(Step::Interrupted));
        assert_eq!(typed(b"\x04").1, Some(Step::Closed));
        assert_eq!(typed(b"12\x0434\r"), (Some("1234".into()), Some(Step::Done)));
    }

    #[test]
    fn arrow_and_function_keys_are_not_part_of_a_pin() {
        assert_eq!(typed(b"1\x1B[A2\x1BOP3\x1B[1;5C4\x1B[15~\r").0.as_deref(), Some("1234"));
    }

    #[test]
    fn what_is_not_utf_8_is_no_line() {
        assert_eq!(typed(b"12\xFF\r").0, None);
    }

    proptest! {
        #[test]
        fn no_input_makes_the_buffer_grow(input in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut line = Line::default();
            let before = line.bytes.capacity();
            for byte in input {
                let _ = line.push(byte);
            }
            prop_assert_eq!(line.bytes.capacity(), before);
        }
    }
}
