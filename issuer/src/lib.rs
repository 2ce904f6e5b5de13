//! The OIDC issuer.

pub mod audit;
pub mod clock;
pub mod database;
pub mod http;
pub mod metrics;
pub mod store;
