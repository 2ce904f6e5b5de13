//! `vouch credential aws` on a hit, against a Python program that asks the same agent the same.

use std::{path::PathBuf, process::Command};

use super::credential_aws::{ARGUMENTS, checked, vouch};
use crate::{
    BenchError, Row,
    agent::Agent,
    compare::{self, Figure},
    measure::command_cpu,
    report::Target,
};

const HELPER: &str = include_str!("credential_helper.py");
const ROUNDS: usize = 7;
const RUNS_PER_ROUND: u32 = 5;

/// CPU time of the Python helper, over that of `vouch`.
#[must_use]
pub fn row() -> Row {
    Row {
        name: "credential-aws-python",
        what: "a Python helper's CPU / `vouch credential aws`, hit",
        target: Target::AtLeast(20.0),
        measure,
    }
}

fn measure() -> Result<Figure, BenchError> {
    let agent = Agent::start()?;
    let mut python = Command::new(interpreter()?);
    python.args(["-c", HELPER]).args(ARGUMENTS);
    let mut python = checked(python, &agent)?;
    let mut helper = vouch(&agent)?;
    let ratio = compare::costs(
        ROUNDS,
        || command_cpu(&mut python, RUNS_PER_ROUND),
        || command_cpu(&mut helper, RUNS_PER_ROUND),
    )?;
    ratio.map(Figure::from).ok_or_else(|| BenchError::Missing("`vouch` took no time that can be measured".to_owned()))
}

/// The interpreter itself: `python3` may be a script that chooses among several.
fn interpreter() -> Result<PathBuf, BenchError> {
    let printed = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let path = printed.ok().filter(|output| output.status.success()).and_then(|output| {
        let path = String::from_utf8(output.stdout).ok()?;
        Some(PathBuf::from(path.trim()))
    });
    path.ok_or_else(|| BenchError::NoPeer("there is no python3".to_owned()))
}
