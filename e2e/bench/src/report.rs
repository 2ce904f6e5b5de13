//! The table.

use std::{
    fmt,
    io::{self, Write},
};

use crate::{BenchError, Row, compare::Figure, with_causes};

/// What a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// Anything: nothing is promised, and somebody wants to know.
    Known,
}

impl Target {
    /// Whether the figure meets it.
    #[must_use]
    pub fn met_by(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(limit) => figure >= limit,
            Self::AtMost(limit) => figure <= limit,
            Self::Known => true,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(limit) => write!(f, "≥ {limit}"),
            Self::AtMost(limit) => write!(f, "≤ {limit}"),
            Self::Known => f.write_str("–"),
        }
    }
}

/// A row that was measured, or not.
#[derive(Debug)]
pub struct Report {
    what: &'static str,
    target: Target,
    outcome: Result<Figure, BenchError>,
}

impl Report {
    /// Measures a row.
    #[must_use]
    pub fn measure(row: &Row) -> Self {
        Self { what: row.what, target: row.target, outcome: (row.measure)() }
    }

    /// Whether nothing was missed. A row that could not be measured has not passed; one without its peer has.
    #[must_use]
    pub fn passed(&self) -> bool {
        match &self.outcome {
            Ok(figure) => self.target.met_by(figure.judged()),
            Err(error) => matches!(error, BenchError::NoPeer(_)),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.target {
            Target::Known => "for the record",
            _ if self.passed() => "met",
            _ => "MISSED",
        }
    }

    fn cells(&self) -> [String; 4] {
        let (measured, verdict) = match &self.outcome {
            Ok(figure) => (figure.to_string(), self.verdict().to_owned()),
            Err(error @ BenchError::NoPeer(_)) => ("–".to_owned(), format!("left out: {error}")),
            Err(error) => ("–".to_owned(), format!("NOT MEASURED: {}", with_causes(error))),
        };
        [self.what.to_owned(), self.target.to_string(), measured, verdict]
    }
}

/// Measured on the way: whoever waits for the table sees how far it is.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [what, target, measured, verdict] = self.cells();
        write!(f, "{what}: {measured}; target {target}; {verdict}")
    }
}

/// Writes the table, in Markdown.
///
/// # Errors
/// When the output takes no more.
pub fn write(reports: &[Report], output: &mut dyn Write) -> io::Result<()> {
    let head = ["what", "target", "measured (lowest to highest)", "verdict"].map(str::to_owned);
    let rows: Vec<_> = reports.iter().map(Report::cells).collect();
    let widths = std::array::from_fn(|column| {
        let cells = std::iter::once(&head).chain(&rows).filter_map(|cells| cells.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    });
    write_row(&head, &widths, output)?;
    write_row(&widths.map(|width| "-".repeat(width)), &widths, output)?;
    rows.iter().try_for_each(|cells| write_row(cells, &widths, output))
}

fn write_row(cells: &[String; 4], widths: &[usize; 4], output: &mut dyn Write) -> io::Result<()> {
    for (cell, width) in cells.iter().zip(widths) {
        write!(output, "| {cell:width$} ")?;
    }
    writeln!(output, "|")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::compare::Ratio;

    fn report(target: Target, outcome: Result<f64, BenchError>) -> Report {
        let ratio = |median| Ratio { median, lowest: median - 0.1, highest: median + 0.1 };
        Report { what: "mint / sign", target, outcome: outcome.map(|median| ratio(median).into()) }
    }

    fn table(reports: &[Report]) -> String {
        let mut output = Vec::new();
        write(reports, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_limit_itself_is_within_it() {
        assert!(Target::AtLeast(0.85).met_by(0.85) && !Target::AtLeast(0.85).met_by(0.849));
        assert!(Target::AtMost(2.5).met_by(2.5) && !Target::AtMost(2.5).met_by(2.51));
    }

    #[test]
    fn the_table_says_what_was_met_and_what_was_missed() {
        let reports = [report(Target::AtLeast(0.85), Ok(0.9)), report(Target::AtMost(2.5), Ok(3.0))];
        assert_eq!(
            table(&reports),
            "| what        | target | measured (lowest to highest) | verdict |\n\
             | ----------- | ------ | ---------------------------- | ------- |\n\
             | mint / sign | ≥ 0.85 | 0.90 (0.80 to 1.00)          | met     |\n\
             | mint / sign | ≤ 2.5  | 3.00 (2.90 to 3.10)          | MISSED  |\n"
        );
        assert!(reports.first().unwrap().passed() && !reports.last().unwrap().passed());
    }

    #[test]
    fn a_row_that_was_not_measured_has_not_passed() {
        let missing = report(Target::AtMost(2.5), Err(BenchError::Missing("there is no vouch binary".to_owned())));
        assert!(!missing.passed());
        assert!(table(&[missing]).contains("NOT MEASURED: there is no vouch binary"));
    }

    #[test]
    fn a_row_for_the_record_misses_nothing() {
        let recorded = report(Target::Known, Ok(1000.0));
        assert!(recorded.passed());
        assert!(table(&[recorded]).contains("| –      | 1000.00 (999.90 to 1000.10)  | for the record |"));
    }

    #[test]
    fn a_row_without_its_peer_is_left_out_and_missed_nothing() {
        let alone = report(Target::AtLeast(20.0), Err(BenchError::NoPeer("there is no python3".to_owned())));
        assert!(alone.passed());
        assert!(table(&[alone]).contains("left out: there is no python3"));
    }
}
