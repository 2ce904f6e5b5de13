//! Key sets of issuers, as STS caches them.

/// Kept key sets.
#[derive(Debug, Default)]
pub struct KeySetCache {}
