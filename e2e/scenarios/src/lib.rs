//! A world in a temporary folder: a strict stand-in for AWS, an issuer, security keys, and people with terminals.
//!
//! Everything here runs the unmodified binaries, as separate processes that talk over sockets under their real host
//! names. It must never reach into a program under test: what it knows, a person or a peer could know.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a harness of tests: what fails here fails the test"
)]

pub mod binaries;
pub mod clock;
pub mod cloud;
pub mod demo;
pub mod developer;
pub mod guide;
pub mod interruption;
pub mod issuer;
pub mod kubernetes;
pub mod manifest;
pub mod meddler;
pub mod pki;
pub mod process;
pub mod proof;
pub mod records;
pub mod scenery;
pub mod standin;
pub mod terminal;
pub mod verifier;
pub mod virtual_key;
pub mod wait;
pub mod wire;
pub mod world;

pub use world::World;
