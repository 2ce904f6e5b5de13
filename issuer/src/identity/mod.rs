//! Who somebody is: security keys, sessions, and the ceremonies between them.
//!
//! A ceremony decides on values and writes with one compare-and-swap; the handlers in `http` only translate. Nothing in
//! here is written for a request whose identity has not been verified.

mod change;
pub mod dpop;
pub mod enrollment;
pub mod invite;
mod jws;
pub mod keys;
pub mod login;
pub mod refusal;
pub mod seal;
pub mod secrets;
pub mod session;
#[cfg(test)]
mod tests;
pub mod webauthn;
