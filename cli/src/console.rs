//! The two streams of a command: stdout for what a program reads, stderr for what a person reads.

use std::io::{self, Write as _};

use crate::{
    error::{Category, Failure},
    file_failure::words,
};

/// Writes `text` and a newline to stdout.
///
/// # Errors
/// When stdout cannot be written. A reader that went away (`vouch status | head -1`) is no error.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written =
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(b"\n")).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Category::General, format!("cannot write the answer to stdout: {}", words(&error))))
        }
        _ => Ok(()),
    }
}

/// Writes `text` and a newline to stderr. Nobody can be told when that fails, so nothing is.
pub fn note(text: &str) {
    let mut stderr = io::stderr().lock();
    let _unheard = stderr.write_all(text.as_bytes()).and_then(|()| stderr.write_all(b"\n"));
}

/// Text from elsewhere (the issuer, AWS, a key) as it may stand in a line on a terminal: without what could steer the
/// terminal, begin another line, or show the text in another order than it is written in.
#[must_use]
pub fn plain(text: &str) -> String {
    let disguises =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    text.chars().filter(|c| !disguises(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Prints `value` as indented JSON to stdout.
///
/// # Errors
/// As [`print`].
pub fn print_json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(Category::General, format!("cannot render the answer as JSON: {error}")))?;
    print(&json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(plain("\u{1b}]0;owned\u{7}Example\r\nPaste your key:"), " ]0;owned Example  Paste your key:");
        assert_eq!(plain("abc\u{202e}def\u{200b}"), "abcdef");
        assert_eq!(plain("Ünïcode GmbH 会社"), "Ünïcode GmbH 会社");
    }
}
