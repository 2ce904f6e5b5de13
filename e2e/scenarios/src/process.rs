//! Processes that never outlive the test that started them.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
pub use vouch_control_plane::tied;

use crate::{
    interruption,
    wait::{PATIENCE, until},
};

/// A process in the background. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: Option<ChildStdout>,
    log: PathBuf,
}

impl Process {
    /// Starts a command whose stderr goes to `log` and whose standard input and output are pipes. Ctrl-C at the terminal
    /// does not reach it: whoever started it ends it.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let stderr = File::options().create(true).append(true).open(log).expect("the log can be written");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { stdout: child.stdout.take(), child, log: log.to_owned() }
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input.
    ///
    /// # Panics
    /// When it was taken before.
    pub fn stdin(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().expect("stdin is a pipe")
    }

    /// Its standard output, line by line, read by a thread so that the process never blocks.
    ///
    /// # Panics
    /// When it was taken before.
    #[must_use]
    pub fn lines(&mut self) -> Receiver<String> {
        let stdout = self.stdout.take().expect("stdout is taken once");
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        receiver
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// When the system does not say.
    #[must_use]
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn wait(mut self, bound: Duration) -> ExitStatus {
        until("the end of a process", bound, || self.ended())
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn terminate(self) -> ExitStatus {
        signal(self.id(), rustix::process::Signal::TERM);
        self.wait(PATIENCE)
    }

    /// What it wrote to stderr.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() && interruption::received().is_none() {
            // A second panic, because nobody reads any more, would end the process before the others are ended.
            let _ = writeln!(io::stderr(), "---- the end of {}\n{}", self.log.display(), end_of(&self.log(), 40));
        }
    }
}

/// Sends a signal to one process. One that has ended is no error.
pub fn signal(id: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Whether a process is gone, or only waits for its parent to notice (proc_pid_stat(5)).
#[must_use]
pub fn has_ended(id: u32) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat"))
        .map_or(true, |stat| stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X'])))
}

/// Kills a process and sees it dead, for as long as anybody's patience lasts.
pub fn kill(id: u32) {
    signal(id, rustix::process::Signal::KILL);
    let started = Instant::now();
    while !has_ended(id) && started.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(1));
    }
}

fn end_of(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A command that has ended.
#[derive(Debug, Clone)]
pub struct Ran {
    /// What was run, as a person would type it.
    pub line: String,
    /// The exit code; absent when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
}

impl Ran {
    /// Runs a command to its end, without a terminal.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn to_the_end(line: String, command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self::new(line, &output)
    }

    /// From what the system reports.
    #[must_use]
    pub fn new(line: String, output: &Output) -> Self {
        Self {
            line,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Insists on success.
    ///
    /// # Panics
    /// When it failed.
    #[must_use]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// Insists on an exit code and a text on stderr.
    ///
    /// # Panics
    /// When it ended otherwise.
    #[must_use]
    pub fn failed(self, code: i32, text: &str) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        assert!(self.stderr.contains(text), "expected {text:?} on stderr:\n{self}");
        self
    }

    /// What it printed, as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON ({error}):\n{self}"))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "$ {}\n{}{}(exit code {:?})", self.line, self.stdout, self.stderr, self.code)
    }
}
