//! The agent: holds the session, signs with the DPoP key, caches credentials.
//!
//! `client`, `socket` and `start` are a command's side of the socket; everything else runs in the agent's own process.
//! Secrets live in its memory and nowhere else; no answer carries the session token or the DPoP key.

pub mod aws_source;
pub mod backoff;
pub mod client;
pub mod connection;
pub mod credentials;
pub mod dpop;
pub mod freshness;
pub mod handler;
pub mod hardening;
pub mod incoming;
pub mod issuer_calls;
pub mod issuer_client;
pub mod issuer_error;
pub mod log;
pub mod protocol;
pub mod run;
pub mod session;
pub mod socket;
pub mod start;
pub mod sts;
pub mod sts_http;
pub mod sts_refusal;
pub mod watch;
