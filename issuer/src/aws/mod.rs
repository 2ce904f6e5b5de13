//! AWS: who may take which role, and the assertion that AWS takes for it.

pub mod assertion;
pub mod authorize;
pub mod catalogue;
