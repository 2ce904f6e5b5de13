//! What things cost: CPU time and memory. Wall time, which on a shared machine measures the neighbours, is for bounds that
//! are a promise about time and have room.

use std::{
    io,
    process::{Command, Stdio},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        resource::{UsageWho, getrusage},
        time::TimeVal,
    },
    time::ClockId,
    unistd::Pid,
};

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The kernel does not tell.
    #[error("the kernel does not tell the CPU time")]
    Clock(#[source] Errno),
    /// The command does not start.
    #[error("{command} cannot be started")]
    Start {
        /// Which command.
        command: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The command fails, so its cost means nothing.
    #[error("{command} ended with {status}")]
    Failed {
        /// Which command.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// There is no such process, or it belongs to somebody else.
    #[error("process {pid} cannot be observed")]
    Process {
        /// Which process.
        pid: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// CPU time of this process while `work` runs, all threads together.
///
/// # Errors
/// When the kernel does not tell, or the work fails.
pub fn own_cpu<E: From<MeasureError>>(work: impl FnOnce() -> Result<(), E>) -> Result<Duration, E> {
    let clock = ClockId::CLOCK_PROCESS_CPUTIME_ID;
    let before = read(clock)?;
    work()?;
    Ok(read(clock)?.saturating_sub(before))
}

/// CPU time of another process while `work` runs: a server that answers its requests.
///
/// # Errors
/// When there is no such process, or the work fails.
pub fn process_cpu<E: From<MeasureError>>(pid: u32, work: impl FnOnce() -> Result<(), E>) -> Result<Duration, E> {
    let clock = process_clock(pid)?;
    let before = read(clock)?;
    work()?;
    Ok(read(clock)?.saturating_sub(before))
}

/// CPU time of another process since it began: what it cost to get where it is.
///
/// # Errors
/// When there is no such process.
pub fn process_cpu_so_far(pid: u32) -> Result<Duration, MeasureError> {
    read(process_clock(pid)?)
}

fn process_clock(pid: u32) -> Result<ClockId, MeasureError> {
    let observe = |source: Errno| MeasureError::Process { pid, source: source.into() };
    let raw = i32::try_from(pid).map_err(|_| observe(Errno::ESRCH))?;
    ClockId::pid_cpu_clock_id(Pid::from_raw(raw)).map_err(observe)
}

/// CPU time of a command, run to its end `times` times, one after the other, with nothing on its standard input.
/// Counts from the moment the child exists. All children of this process are counted together: run nothing beside it.
///
/// # Errors
/// When the command does not start, or fails once.
pub fn command_cpu(command: &mut Command, times: u32) -> Result<Duration, MeasureError> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let before = children_cpu()?;
    for _ in 0..times {
        let status =
            command.status().map_err(|source| MeasureError::Start { command: command_name(command), source })?;
        if !status.success() {
            return Err(MeasureError::Failed { command: command_name(command), status });
        }
    }
    Ok(children_cpu()?.saturating_sub(before))
}

/// Resident memory of a process, in bytes.
///
/// # Errors
/// When there is no such process.
pub fn resident_bytes(pid: u32) -> Result<u64, MeasureError> {
    let observe = |source| MeasureError::Process { pid, source };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(observe)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.map(|kibibytes| kibibytes * 1024).ok_or_else(|| observe(io::Error::other("it has no VmRSS")))
}

/// The same, in MiB.
///
/// # Errors
/// When there is no such process.
pub fn resident_mib(pid: u32) -> Result<f64, MeasureError> {
    let kibibytes = u32::try_from(resident_bytes(pid)? / 1024).unwrap_or(u32::MAX);
    Ok(f64::from(kibibytes) / 1024.0)
}

/// Of every child that has been waited for.
fn children_cpu() -> Result<Duration, MeasureError> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(MeasureError::Clock)?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
    let microseconds = u64::try_from(time.tv_usec()).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(microseconds)
}

fn read(clock: ClockId) -> Result<Duration, MeasureError> {
    clock.now().map(Duration::from).map_err(MeasureError::Clock)
}

/// What a command is called in an error.
pub(crate) fn command_name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{
        hint::black_box,
        sync::{Mutex, PoisonError},
        time::Instant,
    };

    use super::*;

    /// Held by tests that have children, because children are counted together.
    static CHILDREN: Mutex<()> = Mutex::new(());

    /// Some tens of milliseconds.
    fn spin() {
        let mut state = 1_u64;
        for round in 0..20_000_000_u64 {
            state = black_box(state.rotate_left(5) ^ round);
        }
    }

    #[test]
    fn work_of_this_process_costs_time() {
        let nothing = own_cpu(|| Ok::<_, MeasureError>(())).unwrap();
        let work = own_cpu(|| {
            spin();
            Ok::<_, MeasureError>(())
        });
        assert!(work.unwrap() > nothing * 2);
    }

    #[test]
    fn a_busy_process_costs_time_while_this_one_waits() {
        let _alone = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let cost = process_cpu(busy.id(), || {
            let before = process_cpu_so_far(busy.id())?;
            while process_cpu_so_far(busy.id())? < before + Duration::from_millis(5) && Instant::now() < deadline {
                std::thread::yield_now();
            }
            Ok::<_, MeasureError>(())
        });
        busy.kill().unwrap();
        busy.wait().unwrap();
        assert!(cost.unwrap() >= Duration::from_millis(5));
    }

    #[test]
    fn a_shell_that_counts_costs_more_than_true() {
        let _alone = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
        let counting =
            command_cpu(Command::new("sh").args(["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"]), 3)
                .unwrap();
        let nothing = command_cpu(&mut Command::new("true"), 3).unwrap();
        assert!(nothing > Duration::ZERO);
        assert!(counting > nothing * 2, "{counting:?} {nothing:?}");
    }

    #[test]
    fn a_command_that_fails_has_no_cost() {
        let _alone = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(matches!(command_cpu(&mut Command::new("false"), 1), Err(MeasureError::Failed { .. })));
        let missing = command_cpu(&mut Command::new("/nonexistent/command"), 1);
        assert!(matches!(missing, Err(MeasureError::Start { .. })));
    }

    #[test]
    fn memory_of_this_process_is_more_than_nothing() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
    }

    #[test]
    fn a_process_that_is_not_there_cannot_be_observed() {
        assert!(matches!(resident_bytes(u32::MAX), Err(MeasureError::Process { .. })));
        let cost = process_cpu(u32::MAX, || Ok::<(), MeasureError>(()));
        assert!(matches!(cost, Err(MeasureError::Process { .. })));
    }
}
