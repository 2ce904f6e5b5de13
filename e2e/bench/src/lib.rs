//! Benchmarks against limits and peers, as ratios of one run.
//!
//! A figure in microseconds says something about one machine. A ratio of two things measured side by side, by CPU
//! time, says something about the product: ratios have targets here, and memory, which is the same everywhere, and the
//! two delays that are promised. Each row of the table is a file in `rows`.
//!
//! The programs measured are the ones that are released, found beside this one: nothing in them knows that it is
//! measured. What they talk to is here: [`http`] is their client, [`person`] has signed in, [`agent`] answers the
//! credential helper. [`control`] is what the issuer's documents are compared with. [`cluster`] is a real control plane for
//! the operator and for issuers on Kubernetes. Everything listens on the loopback or in a folder of its own, and ends with
//! this process.

pub mod agent;
pub mod cluster;
pub mod compare;
pub mod control;
pub mod http;
pub mod issuer;
pub mod measure;
pub mod person;
pub mod process;
pub mod report;
pub mod rows;
pub mod tls;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::{
    measure::MeasureError,
    report::{Report, Target},
};

/// One line of the table.
pub struct Row {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What is compared with what.
    pub what: &'static str,
    /// What the ratio, or the figure in the unit that `what` names, has to be.
    pub target: Target,
    /// Measures it.
    pub measure: fn() -> Result<compare::Figure, BenchError>,
}

/// Why a row has no figure.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Something the row needs is not there. The row is reported as not measured.
    #[error("{0}")]
    Missing(String),
    /// The peer to compare with is not on this machine. The row is left out, and nothing is missed by that.
    #[error("{0}")]
    NoPeer(String),
    /// A measurement failed.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// The thing to measure failed.
    #[error("{what} failed: {reason}")]
    Subject {
        /// Which thing.
        what: &'static str,
        /// How.
        reason: String,
    },
}

impl BenchError {
    /// For `map_err`: what failed, with the reason and its causes.
    pub fn failed<E: std::error::Error>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Subject { what, reason: with_causes(&error) }
    }
}

/// An error and its causes, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Measures the rows of these names, or all of them, and writes the table. The exit code is 0 when every target is
/// met (a row without its peer is left out), 1 when one is missed or could not be measured, 2 when a name is unknown.
pub fn run(names: &[String], output: &mut dyn Write, errors: &mut dyn Write) -> ExitCode {
    match write_table(names, output, errors) {
        Ok(code) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn write_table(names: &[String], output: &mut dyn Write, errors: &mut dyn Write) -> io::Result<ExitCode> {
    let rows = rows::all();
    if let Some(unknown) = names.iter().find(|name| !rows.iter().any(|row| row.name == name.as_str())) {
        let known: Vec<_> = rows.iter().map(|row| row.name).collect();
        writeln!(errors, "there is no row {unknown:?}; the rows are: {}", known.join(", "))?;
        return Ok(ExitCode::from(2));
    }
    if cfg!(debug_assertions) {
        writeln!(errors, "this is a debug build: its ratios mean nothing; build with --release")?;
    }
    let chosen = rows.iter().filter(|row| names.is_empty() || names.iter().any(|name| name == row.name));
    let mut reports = Vec::new();
    for row in chosen {
        let report = Report::measure(row);
        writeln!(errors, "{}: {report}", row.name)?;
        reports.push(report);
    }
    cluster::end();
    report::write(&reports, output)?;
    Ok(if reports.iter().all(Report::passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
