//! Child processes that end with this one, and where the programs are.

use std::{
    env,
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
pub use vouch_control_plane::tied;

use crate::{
    BenchError,
    measure::{MeasureError, command_name, process_cpu_so_far},
};

/// Nothing here takes longer, except on a machine that is stuck.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A process that takes less than a hundredth of a core for so long is idle.
const QUIET: Duration = Duration::from_secs(1);

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

    /// Tells it to stop, as a kubelet does, and waits until it has.
    ///
    /// # Errors
    /// When it does not end, or ends with a failure.
    pub fn stop(mut self) -> Result<(), BenchError> {
        let told = i32::try_from(self.id()).map(|id| kill(Pid::from_raw(id), Signal::SIGTERM));
        if !matches!(told, Ok(Ok(()))) {
            return Err(BenchError::Subject { what: "stopping a process", reason: "it has gone".to_owned() });
        }
        let status = until("stopping a process", || Ok(self.ended()))?;
        match status.success() {
            true => Ok(()),
            false => Err(BenchError::Subject { what: "stopping a process", reason: status.to_string() }),
        }
    }

    /// Waits until it does nothing but what it does for ever.
    ///
    /// # Errors
    /// When it has ended, or goes on and on.
    pub fn settled(&self) -> Result<(), BenchError> {
        let mut last = None;
        within(PATIENCE, QUIET, "waiting for a process to be idle", || {
            let now = process_cpu_so_far(self.id())?;
            let before = last.replace(now);
            Ok(before.filter(|before| now.saturating_sub(*before) < QUIET / 100).map(drop))
        })
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
pub fn until<T>(what: &'static str, poll: impl FnMut() -> Result<Option<T>, BenchError>) -> Result<T, BenchError> {
    within(PATIENCE, Duration::from_millis(5), what, poll)
}

/// Asks again and again, with a pause between two questions, until there is an answer.
///
/// # Errors
/// What `poll` gives, and [`BenchError::Subject`] when the time is over.
pub fn within<T>(
    patience: Duration,
    pause: Duration,
    what: &'static str,
    mut poll: impl FnMut() -> Result<Option<T>, BenchError>,
) -> Result<T, BenchError> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = poll()? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            return Err(BenchError::Subject { what, reason: format!("nothing for {} s", patience.as_secs()) });
        }
        thread::sleep(pause);
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
