//! The OIDC issuer.

pub mod admin;
pub mod audit;
pub mod aws;
pub mod clock;
pub mod cluster;
pub mod command;
pub mod config;
pub mod database;
pub mod http;
pub mod identity;
pub mod keys;
pub mod memory;
pub mod metrics;
pub mod outbox;
pub mod reload;
pub mod state;
pub mod store;
#[cfg(test)]
mod testing;
