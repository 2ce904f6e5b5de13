//! Everything about the key set that can be seen from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod document;
mod emergency;
mod laws;
mod rotation;
mod secrets;
mod support;
mod tokens;
