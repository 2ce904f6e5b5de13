//! The OIDC issuer.

pub mod audit;
pub mod clock;
pub mod http;
pub mod store;
