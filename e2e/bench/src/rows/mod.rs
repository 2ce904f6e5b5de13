//! The rows, each in a file of its own.

pub mod aws_assertion;
pub mod credential_aws;
pub mod credential_aws_python;
pub mod idle_memory;
pub mod jwks;
pub mod memory_growth;
pub mod mint;
pub mod tls;

use crate::Row;

/// Every row, in the order of the table.
#[must_use]
pub fn all() -> Vec<Row> {
    vec![
        mint::row(),
        aws_assertion::row(),
        jwks::row(),
        tls::row(),
        idle_memory::row(),
        memory_growth::row(),
        credential_aws::row(),
        credential_aws_python::row(),
    ]
}
