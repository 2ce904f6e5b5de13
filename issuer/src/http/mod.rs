//! The HTTP surface.

mod attempt;
pub mod authenticate;
pub mod aws;
pub mod body;
mod connections;
pub mod context;
pub mod discovery;
pub mod enroll;
pub mod error;
pub mod keys;
pub mod limits;
pub mod oauth;
mod observe;
pub mod private;
mod proxy;
pub mod router;
pub mod server;
pub mod session;
pub mod tls;

#[cfg(test)]
mod tests;
