//! The operator: keeps declared issuers, their keys, their people and their applications true in a cluster.
//!
//! One replica of it acts, the one that holds the lease; nothing in here can write without that proof. A pass over an
//! object is `gather → validate → plan or build → apply → status`, of which only the first and the last two touch the
//! network.

pub mod api;
pub mod apply;
pub mod clients;
pub mod command;
pub mod context;
pub mod controllers;
pub mod credentials;
pub mod events;
pub mod failure;
pub mod issuer;
pub mod keys;
pub mod kubeconfig;
pub mod lease;
pub mod log;
pub mod metrics;
pub mod people;
pub mod plugin;
pub mod private;
pub mod proxy;
pub mod reason;
pub mod reference;
pub mod run;
pub mod status;
#[cfg(test)]
mod testing;
pub mod tolerant;
