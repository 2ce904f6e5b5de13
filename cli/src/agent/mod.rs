//! The agent: holds the session, signs with the DPoP key, caches credentials.

pub mod protocol;
