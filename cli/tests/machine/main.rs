//! The program on one machine: the real `vouch`, its agent and its files, against an issuer and an STS on the loopback
//! interface that answer as their contracts say.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod agent;
mod credentials;
mod home;
mod issuers;
mod proxy;
mod sessions;
mod setup;
mod terminal;
mod world;
