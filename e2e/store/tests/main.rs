//! The issuer's Kubernetes store against a real API server: everything that an imitation of one could get wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod conformance;
mod namespace;
