//! Child processes that end with this one, and where the programs are.

use std::{
    env,
    ffi::OsStr,
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use crate::{
    BenchError,
    measure::{MeasureError, command_name},
};

/// Nothing here takes longer, except on a machine that is stuck.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A program that is built beside this one.
///
/// # Errors
/// [`BenchError::Missing`] when it is not there, with the command that builds it.
pub fn program(name: &str) -> Result<PathBuf, BenchError> {
    let own = env::current_exe().map_err(BenchError::failed("finding this program"))?;
    // Tests are in `deps`, below the programs.
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    beside.ok_or_else(|| BenchError::Missing(format!("there is no {name} beside {}; run: make bench", own.display())))
}

/// A command that the kernel kills together with the thread that starts it: also when that one is killed.
#[must_use]
pub fn tied(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A process in the background. Dropping it kills it.
#[derive(Debug)]
pub struct Background(Child);

impl Background {
    /// Starts a command.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(command: &mut Command) -> Result<Self, BenchError> {
        let child = command.spawn();
        Ok(Self(child.map_err(|source| MeasureError::Start { command: command_name(command), source })?))
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, when it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks again and again until there is an answer, for [`PATIENCE`] at most.
///
/// # Errors
/// What `poll` gives, and [`BenchError::Subject`] when the time is over.
pub fn until<T>(what: &'static str, mut poll: impl FnMut() -> Result<Option<T>, BenchError>) -> Result<T, BenchError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = poll()? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            return Err(BenchError::Subject { what, reason: format!("nothing for {} s", PATIENCE.as_secs()) });
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{io::Read as _, process::Stdio};

    use super::*;

    #[test]
    fn a_program_that_was_not_built_is_missing_with_the_way_to_build_it() {
        let missing = program("no-such-program").unwrap_err();
        assert!(matches!(missing, BenchError::Missing(_)));
        assert!(missing.to_string().contains("make bench"), "{missing}");
    }

    #[test]
    fn a_background_process_ends_when_it_is_dropped() {
        let (mut end, theirs) = std::io::pipe().unwrap();
        let mut command = tied("sleep");
        let mut sleeper = Background::start(command.arg("600").stdin(Stdio::null()).stdout(theirs)).unwrap();
        drop(command);
        assert_eq!(sleeper.ended(), None);
        drop(sleeper);
        // The end of the stream: nobody holds the other end any more.
        assert_eq!(end.read(&mut [0]).unwrap(), 0);
    }
}
