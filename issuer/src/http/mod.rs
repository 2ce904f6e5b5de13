//! The HTTP surface.

pub mod context;
pub mod discovery;
pub mod error;
pub mod limits;
mod observe;
pub mod private;
mod proxy;
pub mod tls;
