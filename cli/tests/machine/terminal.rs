//! The program at a terminal of its own, and a person who reads and types there.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};

const PATIENCE: Duration = Duration::from_secs(20);
/// Nothing that a program writes.
const END: &str = "--- the program has ended ---";

/// A program at a terminal; dropping it ends the program.
pub struct Terminal {
    person: File,
    /// Kept open, so that the terminal can be looked at when the program has ended.
    other_end: File,
    child: Child,
    shown: Receiver<Vec<u8>>,
    seen: String,
    read: usize,
}

impl Terminal {
    pub fn start(command: &Command) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let other_end: File = rustix::fs::open(&*name, flags, Mode::empty()).unwrap().into();
        let mut at_terminal = Command::new("setsid");
        at_terminal.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            at_terminal.envs(value.map(|value| (name, value)));
        }
        let stdio = || other_end.try_clone().unwrap();
        let child = at_terminal.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        let person: File = person.into();
        let (send, shown) = channel();
        let mut eyes = person.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = eyes.read(&mut buffer) {
                if send.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { person, other_end, child, shown, seen: String::new(), read: 0 }
    }

    /// Reads on until `text` appears.
    pub fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen[self.read..].find(text) {
                self.read += at + text.len();
                return;
            }
            assert!(Instant::now() < deadline, "{text:?} did not appear in:\n{}", self.seen);
            self.look(Duration::from_millis(50));
        }
    }

    fn look(&mut self, patience: Duration) {
        if let Ok(bytes) = self.shown.recv_timeout(patience) {
            self.seen.push_str(&String::from_utf8_lossy(&bytes).replace('\r', ""));
        }
    }

    pub fn type_line(&mut self, text: &str) {
        self.person.write_all(format!("{text}\r").as_bytes()).unwrap();
    }

    /// The process id; `setsid` becomes the program.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether the terminal shows what is typed.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.other_end).unwrap().local_modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// Waits for the end; the exit code, as shells count.
    pub fn wait(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().or(status.signal().map(|signal| 128 + signal)).unwrap();
            }
            assert!(Instant::now() < deadline, "the program does not end:\n{}", self.seen);
            self.look(Duration::from_millis(20));
        }
    }

    /// Waits for the end; the exit code and all that appeared.
    pub fn finish(mut self) -> (i32, String) {
        let code = self.wait();
        // It comes to the person after everything that the program wrote.
        self.other_end.write_all(END.as_bytes()).unwrap();
        self.expect(END);
        self.seen.truncate(self.read - END.len());
        (code, std::mem::take(&mut self.seen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
