//! The rows, each in a file of its own.

pub mod aws_assertion;
pub mod credential_aws;
pub mod credential_aws_python;
pub mod disable;
pub mod idle_memory;
pub mod issuer_in_cluster;
pub mod jwks;
pub mod login_store;
pub mod memory_growth;
pub mod mint;
pub mod operator_memory;
pub mod operator_passes;
pub mod tls;

use crate::Row;

/// Every row, in the order of the table. Those that need a control plane come last, so that it disturbs no other, and
/// those with many people last of these.
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
        operator_memory::row(),
        issuer_in_cluster::ready(),
        disable::row(),
        operator_passes::writes(),
        operator_passes::first(),
        operator_passes::again(),
        issuer_in_cluster::ready_for_some(),
        issuer_in_cluster::ready_for_many(),
        issuer_in_cluster::memory(),
        login_store::row(),
    ]
}
