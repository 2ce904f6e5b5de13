//! What it takes to accept a foreign token.

pub mod keys;
