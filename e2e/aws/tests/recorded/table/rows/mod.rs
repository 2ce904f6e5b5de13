//! The rows, in the order of the recordings.

mod claims;
mod elsewhere;
mod field;
mod keys;
mod order;
mod role;
mod token;

use super::Row;

/// All rows.
pub(super) fn all() -> Vec<Row> {
    [token::rows(), keys::rows(), claims::rows(), role::rows(), order::rows(), elsewhere::rows(), field::rows()]
        .into_iter()
        .flatten()
        .collect()
}

/// Why a scenario has no verdict that could be compared.
const UNKNOWN: &str = "not recorded: what AWS answers is not known";
