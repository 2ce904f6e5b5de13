//! The demonstration: `make demo`.
fn main() {}
