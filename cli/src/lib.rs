//! Everything a developer runs: the vouch command, its agent and its credential helpers.

pub mod agent;
pub mod error;
