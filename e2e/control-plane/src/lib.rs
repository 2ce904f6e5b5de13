//! `e2e/cluster` for tests in Rust: a real Kubernetes that ends with the process that asks for it, however that ends.
//!
//! [`Cluster`] is whatever the tool makes, and the way to it. [`ControlPlane`] is one without nodes, which is up in three
//! seconds and needs no root, and what a test does with it. Tests, the benchmarks and the demonstration depend on it, and no
//! program of the product does: it must know no more of the product than where the custom resource definitions are, so that
//! every part of the product can be tested with it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a harness of tests: what fails here fails the test"
)]

mod client;
mod cluster;
mod control_plane;
mod outcome;
mod process;

use std::{
    thread,
    time::{Duration, Instant},
};

pub use self::{
    client::client,
    cluster::{Cluster, program},
    control_plane::ControlPlane,
    outcome::Outcome,
    process::{output_with_input, tied},
};

/// For everything that Kubernetes and its clients do by themselves, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until something has come.
///
/// # Panics
/// When it has not within [`PATIENCE`].
pub fn until(what: &str, mut has_come: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !has_come() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(100));
    }
}
