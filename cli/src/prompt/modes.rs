//! How the terminal treats what is typed, and the way back.
//!
//! From the moment a secret may be asked for, nothing that is typed is shown: a PIN typed ahead of its question must not
//! stand on the screen, and what is left of it must not reach the shell, which would keep it in its history.

use std::fs::File;

use rustix::{
    process::getpgrp,
    termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr},
};

use super::PromptError;

/// A terminal that shows nothing of what is typed, until this is dropped or [`Hush::end`] is called.
#[derive(Debug)]
pub(super) struct Hush {
    terminal: File,
    before: Termios,
}

impl Hush {
    /// Switches the echo off. Keys that send signals keep doing so.
    pub(super) fn begin(terminal: &File) -> Result<Self, PromptError> {
        let before = modes(terminal)?;
        let mut hushed = before.clone();
        hushed.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        let terminal = terminal.try_clone().map_err(PromptError::Terminal)?;
        set(&terminal, OptionalActions::Now, &hushed)?;
        Ok(Self { terminal, before })
    }

    /// Makes the terminal as it was, whatever has become of it since, and forgets what was typed and not read.
    pub(super) fn end(&self) {
        restore(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

impl Drop for Hush {
    fn drop(&mut self) {
        self.end();
    }
}

/// A terminal that hands over every byte as it is typed and shows none, until this is dropped.
pub(super) struct RawMode<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> RawMode<'a> {
    /// Forgets what was typed before.
    pub(super) fn enter(terminal: &'a File) -> Result<Self, PromptError> {
        let before = modes(terminal)?;
        let mut raw = before.clone();
        raw.local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        // A read ends after a tenth of a second without input, so that signals are noticed.
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = 1;
        set(terminal, OptionalActions::Flush, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for RawMode<'_> {
    fn drop(&mut self) {
        restore(self.terminal, OptionalActions::Drain, &self.before);
    }
}

/// Whether the terminal listens to this process. One in the background that changes or reads the terminal is stopped by
/// the system (SIGTTOU, SIGTTIN; termios(3)) and would hang.
pub(super) fn is_foreground(terminal: &File) -> bool {
    // A terminal that controls nobody here stops nobody either.
    tcgetpgrp(terminal).map_or(true, |group| group == getpgrp())
}

/// Nothing in the background: the shell that is in front has made the terminal as it wants it.
fn restore(terminal: &File, when: OptionalActions, before: &Termios) {
    if is_foreground(terminal) {
        let _gone = tcsetattr(terminal, when, before);
    }
}

fn modes(terminal: &File) -> Result<Termios, PromptError> {
    tcgetattr(terminal).map_err(|error| PromptError::Terminal(error.into()))
}

fn set(terminal: &File, when: OptionalActions, modes: &Termios) -> Result<(), PromptError> {
    tcsetattr(terminal, when, modes).map_err(|error| PromptError::Terminal(error.into()))
}
