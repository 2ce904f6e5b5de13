//! Whole requests, from the header to the audit trail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod enrolling;
mod hostile;
mod own_keys;
mod sessions;
mod signing_in;
