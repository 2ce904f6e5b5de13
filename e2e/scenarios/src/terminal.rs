//! A person at a terminal: reads what appears, types when asked.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt as _},
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::{
    process::tied,
    wait::{PATIENCE, until},
};

/// A program that runs at a terminal of its own. Dropping it kills the program.
#[derive(Debug)]
pub struct Terminal {
    line: String,
    keyboard: File,
    child: Child,
    screen: Arc<Screen>,
    /// How much of the screen the person has read.
    read: usize,
}

/// What has appeared so far.
#[derive(Debug, Default)]
struct Screen {
    shown: Mutex<Shown>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Shown {
    bytes: Vec<u8>,
    closed: bool,
}

impl Shown {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// What was run.
    pub line: String,
    /// How it ended.
    pub status: ExitStatus,
    /// All that appeared at the terminal.
    pub text: String,
}

impl Terminal {
    /// Starts a command at a new terminal.
    ///
    /// # Panics
    /// When there is no terminal to be had, or the command does not start.
    #[must_use]
    pub fn start(line: String, command: &Command) -> Self {
        let (keyboard, other_end) = open_pair();
        // A session leader with a terminal, as a shell starts programs; dies with its test.
        let mut at_terminal = tied("setsid");
        at_terminal.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            at_terminal.envs(value.map(|value| (name, value)));
        }
        let child = at_terminal
            .stdin(other_end.try_clone().unwrap())
            .stdout(other_end.try_clone().unwrap())
            .stderr(other_end)
            .spawn()
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        drop(at_terminal);
        let screen = Arc::new(Screen::default());
        let (mut eyes, shared) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        thread::spawn(move || shared.follow(&mut eyes));
        Self { line, keyboard, child, screen, read: 0 }
    }

    /// Reads on until a text appears, and returns what stood before it.
    ///
    /// # Panics
    /// When it does not appear.
    pub fn expect(&mut self, text: &str) -> String {
        self.expect_one_of(&[text]).1
    }

    /// Reads on until one of several texts appears, and returns which, and what stood before it.
    ///
    /// # Panics
    /// When none appears.
    pub fn expect_one_of(&mut self, texts: &[&str]) -> (usize, String) {
        self.expect_or_end(texts)
            .unwrap_or_else(|| panic!("{texts:?} did not appear before the end:\n$ {}\n{}", self.line, self.text()))
    }

    /// The same; `None` when the program ends first.
    ///
    /// # Panics
    /// When neither happens.
    pub fn expect_or_end(&mut self, texts: &[&str]) -> Option<(usize, String)> {
        let started = Instant::now();
        let mut shown = self.screen.shown.lock().unwrap();
        loop {
            let unread = &shown.bytes[self.read..];
            let place = |text: &str| unread.windows(text.len()).position(|window| window == text.as_bytes());
            let found = texts.iter().enumerate().filter_map(|(which, text)| Some((place(text)?, which)));
            if let Some((at, which)) = found.min() {
                let before = String::from_utf8_lossy(&unread[..at]).into_owned();
                self.read += at + texts[which].len();
                return Some((which, before));
            }
            if shown.closed {
                return None;
            }
            if started.elapsed() > PATIENCE {
                let transcript = shown.text();
                drop(shown);
                panic!("{texts:?} did not appear in time:\n$ {}\n{transcript}", self.line);
            }
            shown = self.screen.changed.wait_timeout(shown, Duration::from_millis(200)).unwrap().0;
        }
    }

    /// Types a line. Nobody reads it when the program has ended; what is expected next tells.
    pub fn type_line(&mut self, text: &str) {
        let _ = self.keyboard.write_all(format!("{text}\r").as_bytes());
    }

    /// Presses Ctrl-C.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn interrupt(&mut self) {
        self.keyboard.write_all(b"\x03").unwrap();
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What has appeared so far.
    ///
    /// # Panics
    /// Never in practice.
    #[must_use]
    pub fn text(&self) -> String {
        self.screen.shown.lock().unwrap().text()
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let status = until(&format!("the end of {}", self.line), PATIENCE, || self.child.try_wait().unwrap());
        // A daemon that kept the terminal open would keep it from closing.
        until("the terminal to be free again", PATIENCE, || self.screen.shown.lock().unwrap().closed.then_some(()));
        Finished { line: self.line.clone(), status, text: self.text() }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    /// Insists on success.
    ///
    /// # Panics
    /// When it failed.
    #[must_use]
    pub fn succeeded(self) -> Self {
        assert!(self.status.success(), "{self}");
        self
    }

    /// Insists on an exit code and a text.
    ///
    /// # Panics
    /// When it ended otherwise.
    #[must_use]
    pub fn failed(self, code: i32, text: &str) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        assert!(self.text.contains(text), "expected {text:?}:\n{self}");
        self
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "$ {}\n{}({})", self.line, self.text, self.status)
    }
}

impl Screen {
    /// Takes in what appears until the other end is closed, which a pseudo-terminal reports as an error.
    fn follow(&self, eyes: &mut File) {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = eyes.read(&mut buffer) {
            self.shown.lock().unwrap().bytes.extend(buffer[..len].iter().filter(|byte| **byte != b'\r'));
            self.changed.notify_all();
        }
        self.shown.lock().unwrap().closed = true;
        self.changed.notify_all();
    }
}

fn open_pair() -> (File, OwnedFd) {
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pseudo-terminal");
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let name = PathBuf::from(ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap());
    let noctty = i32::try_from(OFlags::NOCTTY.bits()).unwrap();
    let other_end = OpenOptions::new().read(true).write(true).custom_flags(noctty).open(name).unwrap();
    tcsetwinsize(&other_end, Winsize { ws_row: 50, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    (File::from(keyboard), other_end.into())
}
