//! The OIDC issuer.

pub mod audit;
pub mod clock;
pub mod database;
pub mod http;
pub mod identity;
pub mod metrics;
pub mod store;
#[cfg(test)]
mod testing;
