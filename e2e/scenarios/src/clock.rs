//! Programs that believe another time, by libfaketime: the programs themselves have no such switch.

use std::{path::Path, process::Command};

/// Lets a command run at an offset from now, such as `-1h` or `+25h`.
///
/// # Panics
/// When libfaketime is not installed.
pub fn shift(command: &mut Command, offset: &str) {
    let folder = format!("/usr/lib/{}-linux-gnu/faketime", std::env::consts::ARCH);
    let library = Path::new(&folder).join("libfaketimeMT.so.1");
    assert!(library.exists(), "{} is missing; install the package faketime", library.display());
    command.env("LD_PRELOAD", library).env("FAKETIME", offset).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}
