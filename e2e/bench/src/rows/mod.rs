//! The rows, each in a file of its own.

pub mod mint;

use crate::Row;

/// Every row, in the order of the table.
#[must_use]
pub fn all() -> Vec<Row> {
    vec![mint::row()]
}
