//! What the reader sees: chapters, commands, and what the commands print.

use std::io::{IsTerminal as _, Write as _};

use crate::interruption;

/// Prints the story. Colours only where there is a terminal that wants them.
#[derive(Debug)]
pub(super) struct Narrator {
    chapters: usize,
    colour: bool,
}

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[0m";

impl Narrator {
    pub(super) fn new() -> Self {
        let colour =
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { chapters: 0, colour }
    }

    /// Whether there is colour, in which case the programs of the story may have theirs.
    pub(super) fn has_colour(&self) -> bool {
        self.colour
    }

    pub(super) fn title(&self, text: &str) {
        self.line(&self.painted(BOLD, text));
        self.line("");
    }

    pub(super) fn chapter(&mut self, text: &str) {
        self.chapters += 1;
        self.line("");
        self.line(&self.painted(BOLD, &format!("{}  {text}", self.chapters)));
    }

    /// A sentence.
    pub(super) fn say(&self, text: &str) {
        self.line(text);
    }

    /// A command, as it is typed by `who`.
    pub(super) fn command(&self, who: &str, line: &str) {
        self.line("");
        self.line(&format!("   {} {}", self.painted(DIM, &format!("{who} $")), self.painted(GREEN, line)));
    }

    /// What it printed.
    pub(super) fn output(&self, text: &str) {
        for line in text.trim_end().lines() {
            self.line(&format!("   {line}"));
        }
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
    }

    /// A reader who went away is no failure of the story; one who interrupts it ends it.
    fn line(&self, text: &str) {
        interruption::check();
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}
