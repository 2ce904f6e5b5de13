//! The agent: holds the session, signs with the DPoP key, caches credentials.

pub mod client;
pub mod protocol;
pub mod socket;
pub mod start;
