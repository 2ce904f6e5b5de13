//! Proof of possession (RFC 9449): a session token is worth nothing without the key that signs these proofs.
//!
//! A proof is accepted once, for one method and one URL of this issuer, with a nonce this issuer gave out a short
//! while ago. It must never be accepted because a part of it is absent.

mod nonce;
mod proof;
mod replay;

pub use nonce::{NONCE_LIFETIME, fresh_nonce};
pub use proof::{ExpectedRequest, Proof, ProofError, verify};
pub use replay::{ReplayError, ReplayGuard};

/// The only signature algorithm of proofs.
pub const ALGORITHM: &str = "ES256";

#[cfg(test)]
mod tests;
