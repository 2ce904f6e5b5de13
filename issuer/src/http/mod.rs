//! The HTTP surface.

pub mod context;
pub mod error;
