//! The recordings of `AssumeRoleWithWebIdentity` as one table: a row for every recorded scenario and every wrong token
//! that reports from the field tell of, sent to the real program over its proxy.
//!
//! Rows stand in the order of the recordings and carry their section, so that table and recordings can be held side by
//! side. A scenario that cannot be played is a row too, with the reason. `--nocapture` prints the table.

mod outcome;
mod rows;
mod scene;
mod sent;

use std::collections::{BTreeMap, BTreeSet};

use outcome::Expected;
use scene::Scene;
use sent::Sent;

/// Where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    /// Recorded from real AWS. HTTP codes are the service model's, since the recordings have none.
    Rec,
    /// Text of a real answer in public reports, or AWS's documentation.
    Field,
    /// Implied by the code or the comments of those who recorded: an informed guess.
    Code,
}

/// A scenario: where it is recorded, its name, and what is sent and expected, or why it cannot be played.
struct Row {
    section: &'static str,
    mark: Mark,
    name: &'static str,
    played: Result<(Sent, Expected), &'static str>,
}

fn rec(section: &'static str, name: &'static str, sent: Sent, expected: Expected) -> Row {
    Row { section, mark: Mark::Rec, name, played: Ok((sent, expected)) }
}

fn field(section: &'static str, name: &'static str, sent: Sent, expected: Expected) -> Row {
    Row { section, mark: Mark::Field, name, played: Ok((sent, expected)) }
}

fn code(section: &'static str, name: &'static str, sent: Sent, expected: Expected) -> Row {
    Row { section, mark: Mark::Code, name, played: Ok((sent, expected)) }
}

fn not_played(section: &'static str, name: &'static str, reason: &'static str) -> Row {
    Row { section, mark: Mark::Rec, name, played: Err(reason) }
}

/// How many rows each section has: played, and not played.
const COUNTS: [(&str, usize, usize); 18] = [
    ("A.2", 6, 1),
    ("A.3", 19, 1),
    ("A.4", 10, 0),
    ("A.5", 12, 0),
    ("A.6", 15, 2),
    ("A.7", 9, 0),
    ("A.8", 9, 0),
    ("A.9", 4, 4),
    ("A.10", 30, 0),
    ("A.11", 18, 0),
    ("A.12", 8, 2),
    ("A.13", 7, 1),
    ("A.14", 5, 0),
    ("A.15", 27, 0),
    ("A.16", 12, 3),
    ("A.17", 0, 8),
    ("A.18", 0, 4),
    ("field", 20, 6),
];

#[tokio::test]
#[allow(clippy::print_stdout, reason = "the table is there to be read")]
async fn every_recorded_scenario_is_answered_as_recorded() {
    let scene = Scene::start().await;
    let rows = rows::all();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut failures = Vec::new();
    for row in &rows {
        let count = counts.entry(row.section).or_default();
        let (sent, answer) = match &row.played {
            Err(reason) => {
                count.1 += 1;
                (String::from("not played"), (*reason).to_owned())
            }
            Ok((sent, expected)) => {
                count.0 += 1;
                let outcome = scene.play(sent).await;
                if let Err(difference) = scene.compare(&outcome, expected) {
                    failures.push(format!("{} {}: {difference}", row.section, row.name));
                }
                (sent.to_string(), outcome.to_string())
            }
        };
        println!("| {} | {:?} | {} | {sent} | {answer} |", row.section, row.mark, row.name);
    }
    let (played, not_played) = counts.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    println!("{} rows: {played} played, {not_played} not", rows.len());
    assert!(failures.is_empty(), "{} rows differ:\n{}", failures.len(), failures.join("\n"));
    let expected: BTreeMap<_, _> = COUNTS.iter().map(|(section, played, not)| (*section, (*played, *not))).collect();
    assert_eq!(counts, expected, "a row was added or lost");
}

#[test]
fn no_scenario_has_two_rows() {
    let rows = rows::all();
    let names: BTreeSet<_> = rows.iter().map(|row| (row.section, row.name)).collect();
    assert_eq!(names.len(), rows.len());
}
