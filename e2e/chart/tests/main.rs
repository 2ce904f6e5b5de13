//! The chart, held against both Helms, an API server, and the programs that it installs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails here fails the test"
)]

mod access;
mod cluster;
mod first_install;
mod generated;
mod guides;
mod monitoring;
mod objects;
mod pods;
mod right;
mod rights;
mod support;
mod user_roles;
mod values;
