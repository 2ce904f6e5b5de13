//! What keeps the memory of a process that holds signing keys to itself.

use rustix::process::{Resource, Rlimit};

/// None of it goes into a core file, whose reader could be anybody, and no other process of the user reads it
/// (`PR_SET_DUMPABLE`, prctl(2)). A system that refuses is told of in the log.
pub fn keep_private() {
    let no_core = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = rustix::process::setrlimit(Resource::Core, no_core);
    #[cfg(target_os = "linux")]
    let limited =
        limited.and_then(|()| rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable));
    if let Err(error) = limited {
        tracing::warn!(%error, "a crash may leave the signing keys in a core file");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn nobody_traces_or_dumps_a_process_that_keeps_its_memory_private() {
        use rustix::process::{DumpableBehavior, dumpable_behavior, getrlimit};

        keep_private();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
    }
}
